"""A primary that is frozen: its clients find the one that the sentinels elected meanwhile."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import cast

import pytest
from redis import Redis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from infra.local.redis.server import RedisServer
from tests.factories.redis_servers import PRIMARY_NAME, primary, replica, sentinels
from tests.factories.redis_urls import sentinel_url
from tests.faults.waiting import until
from webhook.redis.address import RedisAddress
from webhook.redis.clients import async_client, client

# The first try waits on the old connection for as long as a read may take.
ONE_MORE = 1
# Seconds; without a question to the sentinels it takes ten.
LEFT_WITHIN = 5.0
_SECONDS = 20.0


class Deployment:
    """Two servers and their sentinels; `freeze` returns once the other is the primary."""

    def __init__(self, first: RedisServer, watching: list[RedisServer]) -> None:
        self.address = RedisAddress.parse(sentinel_url(watching))
        self._first = first
        self._watching = watching

    def freeze(self) -> None:
        """Stop the primary without ending it; return once all sentinels name the other."""
        os.kill(self._first.pid, signal.SIGSTOP)
        for sentinel in self._watching:
            with Redis.from_url(sentinel.url) as redis:
                until(partial(self._names_another, redis), "another is named", _SECONDS)

    def resume(self) -> None:
        """Let the old primary go on, so that it can end."""
        os.kill(self._first.pid, signal.SIGCONT)

    def _names_another(self, sentinel: Redis) -> bool:
        found = sentinel.sentinel_get_master_addr_by_name(PRIMARY_NAME)
        return cast(tuple[str, int], found)[1] != self._first.port


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    """A primary that can be frozen."""
    with ExitStack() as running:
        first = running.enter_context(primary(tmp_path / "first"))
        running.enter_context(replica(tmp_path / "second", of=first))
        watching = running.enter_context(sentinels(tmp_path, first))
        made = Deployment(first, watching)
        running.callback(made.resume)
        yield made


@pytest.mark.timeout(60)
def test_a_repeated_command_reaches_the_elected_one(deployment: Deployment) -> None:
    """redis-py alone would repeat it where the frozen one is, until it gives up."""
    retry = Retry(NoBackoff(), ONE_MORE)
    with client(deployment.address, socket_timeout=1, retry=retry) as redis:
        assert redis.set("before", 1)
        deployment.freeze()
        assert redis.set("after", 1)


@pytest.mark.timeout(60)
def test_a_primary_that_resumes_is_left(deployment: Deployment) -> None:
    """It goes on as a primary until a sentinel makes it a replica, and lacks what came since."""
    retry = Retry(NoBackoff(), ONE_MORE)
    with (
        client(deployment.address, retry=retry) as before,
        client(deployment.address, retry=retry) as after,
    ):
        assert before.get("key") is None
        deployment.freeze()
        assert after.set("key", "value")
        deployment.resume()
        until(lambda: before.get("key") == b"value", "the elected one is read", LEFT_WITHIN)


@pytest.mark.timeout(60)
def test_asyncio_too(deployment: Deployment) -> None:
    """The receiver's client finds it with the first repetition as well."""

    async def write() -> None:
        retry = AsyncRetry(NoBackoff(), ONE_MORE)
        redis = async_client(deployment.address, socket_timeout=1, retry=retry)
        try:
            assert await redis.set("before", 1)
            await asyncio.to_thread(deployment.freeze)
            assert await redis.set("after", 1)
        finally:
            await redis.aclose()

    asyncio.run(write())
