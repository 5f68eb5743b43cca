"""The receiver as an ASGI application: its routes and its lifespan."""

import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from webhook.composition import Tools, compose
from webhook.log import configure, get_logger, standard_error
from webhook.log.buffered_stream import BufferedStream
from webhook.receiver import Receiver
from webhook.server.direct_protocol import Respond, WholeRequest
from webhook.settings.settings import ReceiverSettings

# The callback route below as a pattern, matched without the router.
_CALLBACK_PATH = re.compile(r"/webhooks/fal/(?P<job_id>[^/]+)/(?P<token>[^/]+)")
# The same for addresses that we may have minted. All others are refused, but by the receiver.
_CALLBACK_URL = re.compile(rb"/webhooks/fal/([A-Za-z0-9_-]+)/([A-Za-z0-9_.-]+)")

log = get_logger()


def create_app(
    settings: ReceiverSettings | None = None,
    *,
    clock: Callable[[], float] = time.time,
    metrics: Path | None = None,
) -> "Application":
    """Return the receiver; `settings` default to the environment, `clock` is Unix seconds.

    `metrics` is the directory in which several processes count (see webhook.metrics).
    Raises SettingsError if a setting is missing or wrong.
    """
    settings = settings or ReceiverSettings.from_env()
    configure(
        level=settings.log_level, form=settings.log_format, stream=BufferedStream(standard_error())
    )
    tools = compose(settings, clock, metrics)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with tools.running():
            log.info("receiver.started", public_url=settings.public_url)
            yield
        log.info("receiver.stopped")

    app = Application(tools.receiver, routes=_routes(tools), lifespan=lifespan)
    # fal treats a redirect as a final refusal.
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


class Application(Starlette):
    """A Starlette application whose callbacks bypass its middleware and router.

    These cost a tenth of the time of a callback. Every other request goes through them.
    """

    def __init__(self, receiver: Receiver, **options: Any) -> None:
        super().__init__(**options)
        self._receiver = receiver

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            match = _CALLBACK_PATH.fullmatch(scope["path"])
            if match is not None:
                scope["path_params"] = match.groupdict()
                await self._receiver(scope, receive, send)
                return
        await super().__call__(scope, receive, send)

    def take(self, request: WholeRequest, respond: Respond) -> bool:
        """Take a callback that has arrived; return False to leave a request to `__call__`."""
        match = _CALLBACK_URL.fullmatch(request.url)
        if match is None:
            return False
        return self._receiver.take(match[1].decode(), match[2].decode(), request, respond)
