"""The receiver's composition: its tools, built once, and its routes."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webhook import log as logs
from webhook.contract import celery_app
from webhook.health import Health
from webhook.inbox import Inbox
from webhook.keys import Keys, fetch_keys
from webhook.metrics import Metrics
from webhook.receiver import Receiver
from webhook.settings import Settings
from webhook.wake import Waker

log = logs.get_logger()

# Measured: with kombu's defaults a publish to a Redis that hangs blocks for more than 25 s.
PUBLISHER: dict[str, object] = {
    "socket_timeout": 2,
    "socket_connect_timeout": 1,
    "max_retries": 0,
    "health_check_interval": 15,
}


def create_app(
    settings: Settings | None = None, *, clock: Callable[[], float] = time.time
) -> Starlette:
    """The receiver as an ASGI application; settings come from the environment where not given.

    Raises SettingsError if they are incomplete.
    """
    settings = settings or Settings.from_env()
    logs.configure(level=settings.log_level, form=settings.log_format)
    redis = Redis.from_url(
        settings.redis_url, socket_timeout=2, socket_connect_timeout=1, health_check_interval=15
    )
    celery = celery_app(settings.broker_url, transport_options=PUBLISHER)
    keys = Keys(fetch_keys(settings.jwks_url))
    metrics = Metrics(keys)
    waker = Waker(celery)
    inbox = Inbox(redis, waker, observe=metrics.batches.observe)
    receiver = Receiver(settings=settings, keys=keys, inbox=inbox, metrics=metrics, clock=clock)
    health = Health(keys=keys, redis=redis, celery=celery)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        waker.start()
        async with asyncio.TaskGroup() as tasks:
            writing = tasks.create_task(inbox.run())
            warming = tasks.create_task(keys.refresh())
            log.info("receiver.started", public_url=settings.public_url)
            yield
            writing.cancel()
            warming.cancel()
        waker.stop()
        await redis.aclose()
        log.info("receiver.stopped")

    async def metrics_page(_request: Request) -> Response:
        return Response(metrics.render(), media_type="text/plain; version=0.0.4")

    return Starlette(
        routes=[
            Route("/webhooks/fal/{job_id}/{token}", receiver.callback, methods=["POST"]),
            Route("/healthz", health.healthz),
            Route("/readyz", health.readyz),
            Route("/metrics", metrics_page),
        ],
        lifespan=lifespan,
    )
