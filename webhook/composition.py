"""The objects of the receiver, built once from its settings."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.exceptions import RedisError

from webhook.capacity import Capacity
from webhook.health import Health, probe
from webhook.inbox import Inbox
from webhook.log import get_logger
from webhook.metrics import Metrics
from webhook.publisher import WakePublisher, publishing_app
from webhook.receiver import Receiver
from webhook.redis.address import RedisAddress
from webhook.redis.clients import async_client
from webhook.settings.settings import ReceiverSettings
from webhook.verification.fetch import fetcher
from webhook.verification.jwks import KeySet
from webhook.verification.source_addresses import SourceAddresses

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """The objects that the routes and the lifespan of the application use."""

    redis: Redis
    keys: KeySet
    sources: SourceAddresses | None
    wakes: WakePublisher
    inbox: Inbox
    metrics: Metrics
    receiver: Receiver
    health: Health

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the background tasks inside the block; stop them and close connections after it."""
        self.wakes.start()
        async with asyncio.TaskGroup() as tasks:
            background = (
                self.inbox.run(),
                self.keys.run(),
                self.metrics.run(),
                self._check_redis(),
            )
            running = [tasks.create_task(work) for work in background]
            if self.sources is not None:
                running.append(tasks.create_task(self.sources.run()))
            yield
            for task in running:
                task.cancel()
        await asyncio.to_thread(self.wakes.stop)
        await self.redis.aclose()

    async def _check_redis(self) -> None:
        # Nothing else would log it before the first callback.
        try:
            await probe(self.redis)
        except (RedisError, OSError) as error:
            log.warning("redis.unreachable", error=error)


def compose(
    settings: ReceiverSettings, clock: Callable[[], float], directory: Path | None = None
) -> Tools:
    """Return the objects of one process, not yet connected; `clock` is Unix seconds.

    `directory` is that of the metrics of several processes.
    """
    redis = _redis(settings.redis_url)
    celery = publishing_app(settings.broker_url)
    keys = KeySet(fetcher(settings.jwks_url), host=urlsplit(settings.jwks_url).netloc)
    sources = _sources(settings)
    capacity = Capacity()
    metrics = Metrics(keys, capacity, directory)
    wakes = WakePublisher(celery, count=metrics.count_wake)
    inbox = Inbox(redis, wakes, observe=metrics.batches.observe)
    receiver = Receiver(
        settings=settings,
        keys=keys,
        inbox=inbox,
        metrics=metrics,
        capacity=capacity,
        sources=sources,
        clock=clock,
    )
    return Tools(
        redis=redis,
        keys=keys,
        sources=sources,
        wakes=wakes,
        inbox=inbox,
        metrics=metrics,
        receiver=receiver,
        health=Health(keys=keys, redis=redis, celery=celery),
    )


def _redis(url: str) -> Redis:
    # Two retries: an idle connection may have been cut. More would only delay fal's 503.
    return async_client(
        RedisAddress.parse(url),
        socket_timeout=2,
        socket_connect_timeout=1,
        health_check_interval=15,
        retry=Retry(ConstantBackoff(0.1), 2),
    )


def _sources(settings: ReceiverSettings) -> SourceAddresses | None:
    if not settings.meta_url:
        return None
    host = urlsplit(settings.meta_url).netloc
    return SourceAddresses(fetcher(settings.meta_url), trusted=settings.proxies, host=host)
