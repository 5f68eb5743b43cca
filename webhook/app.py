"""The receiver's composition: its tools, built once, and its routes."""

import asyncio
import re
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from webhook import log as logs
from webhook.fetch import fetcher
from webhook.health import Health
from webhook.inbox import Inbox
from webhook.keys import Keys
from webhook.lines import Lines
from webhook.metrics import Metrics
from webhook.receiver import Receiver
from webhook.room import Room
from webhook.settings import Settings
from webhook.sources import Sources
from webhook.wake import Waker, publisher

# The route below in the shape that needs no router.
CALLBACK = re.compile(r"/webhooks/fal/(?P<job_id>[^/]+)/(?P<token>[^/]+)")

log = logs.get_logger()


def create_app(
    settings: Settings | None = None, *, clock: Callable[[], float] = time.time
) -> Starlette:
    """The receiver as an ASGI application; settings come from the environment where not given.

    Raises SettingsError if they are incomplete.
    """
    settings = settings or Settings.from_env()
    logs.configure(level=settings.log_level, form=settings.log_format, stream=Lines(sys.stderr))
    redis = _redis(settings.redis_url)
    celery = publisher(settings.broker_url)
    keys = Keys(fetcher(settings.jwks_url))
    sources = _sources(settings)
    room = Room()
    metrics = Metrics(keys, room)
    waker = Waker(celery, count=metrics.woke)
    inbox = Inbox(redis, waker, observe=metrics.batches.observe)
    receiver = Receiver(
        settings=settings,
        keys=keys,
        inbox=inbox,
        metrics=metrics,
        room=room,
        sources=sources,
        clock=clock,
    )
    health = Health(keys=keys, redis=redis, celery=celery)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        waker.start()
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(inbox.run()), tasks.create_task(keys.run())]
            if sources is not None:
                running.append(tasks.create_task(sources.run()))
            log.info("receiver.started", public_url=settings.public_url)
            yield
            for task in running:
                task.cancel()
        await asyncio.to_thread(waker.stop)
        await redis.aclose()
        log.info("receiver.stopped")

    async def metrics_page(_request: Request) -> Response:
        return Response(metrics.render(), media_type="text/plain; version=0.0.4")

    app = _Application(
        receiver,
        routes=[
            Route("/webhooks/fal/{job_id}/{token}", receiver, methods=["POST"]),
            Route("/healthz", health.healthz),
            Route("/readyz", health.readyz),
            Route("/metrics", metrics_page),
        ],
        lifespan=lifespan,
    )
    # fal takes a redirect for a final refusal.
    app.router.redirect_slashes = False
    return app


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


def _redis(url: str) -> Redis:
    # Again at once, twice: a connection that lay idle may have been cut; more would only keep fal
    # waiting for a 503.
    return Redis.from_url(
        url,
        socket_timeout=2,
        socket_connect_timeout=1,
        health_check_interval=15,
        retry=Retry(ConstantBackoff(0.1), 2),
    )


def _sources(settings: Settings) -> Sources | None:
    if not settings.meta_url:
        return None
    return Sources(fetcher(settings.meta_url), trusted=settings.proxies)
