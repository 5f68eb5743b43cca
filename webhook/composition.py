"""The receiver's tools, built once from its settings."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.exceptions import RedisError

from webhook.capacity import Capacity
from webhook.health import Health
from webhook.inbox import Inbox
from webhook.log import get_logger
from webhook.metrics import Metrics
from webhook.publisher import WakePublisher, publisher
from webhook.receiver import Receiver
from webhook.settings import ReceiverSettings
from webhook.verification.fetch import fetcher
from webhook.verification.jwks import KeySet
from webhook.verification.source_addresses import SourceAddresses

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What the routes and the life of the application are made of."""

    redis: Redis
    keys: KeySet
    sources: SourceAddresses | None
    waker: WakePublisher
    inbox: Inbox
    metrics: Metrics
    receiver: Receiver
    health: Health

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Whatever works beside the callbacks does so inside; afterwards connections are closed."""
        self.waker.start()
        async with asyncio.TaskGroup() as tasks:
            work = (self.inbox.run(), self.keys.run(), self._tell_of_redis())
            running = [tasks.create_task(part) for part in work]
            if self.sources is not None:
                running.append(tasks.create_task(self.sources.run()))
            yield
            for task in running:
                task.cancel()
        await asyncio.to_thread(self.waker.stop)
        await self.redis.aclose()

    async def _tell_of_redis(self) -> None:
        # Until the first callback nothing else would: readiness is a word in an answer.
        try:
            await self.redis.ping()
        except (RedisError, OSError) as error:
            log.warning("redis.unreachable", error=type(error).__name__)


def compose(settings: ReceiverSettings, clock: Callable[[], float]) -> Tools:
    """The tools of one process; `clock` is Unix seconds. Nothing is connected yet."""
    redis = _redis(settings.redis_url)
    celery = publisher(settings.broker_url)
    keys = KeySet(fetcher(settings.jwks_url), host=urlsplit(settings.jwks_url).netloc)
    sources = _sources(settings)
    room = Capacity()
    metrics = Metrics(keys, room)
    waker = WakePublisher(celery, count=metrics.woke)
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
    return Tools(
        redis=redis,
        keys=keys,
        sources=sources,
        waker=waker,
        inbox=inbox,
        metrics=metrics,
        receiver=receiver,
        health=Health(keys=keys, redis=redis, celery=celery),
    )


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


def _sources(settings: ReceiverSettings) -> SourceAddresses | None:
    if not settings.meta_url:
        return None
    host = urlsplit(settings.meta_url).netloc
    return SourceAddresses(fetcher(settings.meta_url), trusted=settings.proxies, host=host)
