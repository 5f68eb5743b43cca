"""The receiver as an application: its routes, and how long it lives."""

import re
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from webhook.composition import Tools, compose
from webhook.log import setup as logs
from webhook.log.buffered_stream import BufferedStream
from webhook.receiver import Receiver
from webhook.settings import ReceiverSettings

# The route below in the shape that needs no router.
CALLBACK = re.compile(r"/webhooks/fal/(?P<job_id>[^/]+)/(?P<token>[^/]+)")

log = logs.get_logger()


def create_app(
    settings: ReceiverSettings | None = None, *, clock: Callable[[], float] = time.time
) -> Starlette:
    """The receiver as an ASGI application; settings come from the environment where not given.

    Raises SettingsError if they are incomplete.
    """
    settings = settings or ReceiverSettings.from_env()
    logs.configure(
        level=settings.log_level, form=settings.log_format, stream=BufferedStream(sys.stderr)
    )
    tools = compose(settings, clock)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with tools.running():
            log.info("receiver.started", public_url=settings.public_url)
            yield
        log.info("receiver.stopped")

    app = _Application(tools.receiver, routes=_routes(tools), lifespan=lifespan)
    # fal takes a redirect for a final refusal.
    app.router.redirect_slashes = False
    return app


def _routes(tools: Tools) -> list[Route]:
    async def metrics_page(_request: Request) -> Response:
        return Response(tools.metrics.render(), media_type="text/plain; version=0.0.4")

    return [
        Route("/webhooks/fal/{job_id}/{token}", tools.receiver, methods=["POST"]),
        Route("/healthz", tools.health.healthz),
        Route("/readyz", tools.health.readyz),
        Route("/metrics", metrics_page),
    ]


class _Application(Starlette):
    """Starlette, but callbacks come to the receiver past its middleware, which they do not need.

    It costs a tenth of a callback; whatever else comes to their address takes the usual way.
    """

    def __init__(self, receiver: Receiver, **options: Any) -> None:
        super().__init__(**options)
        self._receiver = receiver

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            found = CALLBACK.fullmatch(scope["path"])
            if found is not None:
                scope["path_params"] = found.groupdict()
                await self._receiver(scope, receive, send)
                return
        await super().__call__(scope, receive, send)
