"""The inbox on a real Redis."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
from redis.asyncio import Redis

from infra.local.redis.server import RedisServer
from webhook.contract import INBOX, INGEST_GRACE, Callback, inbox_key
from webhook.inbox import ENOUGH, MAX_BATCH, MAX_BATCH_BYTES, Inbox, InboxUnavailable
from webhook.shards import all_keys, key_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """The receiver runs on asyncio."""
    return "asyncio"


def callback(number: int = 1, *, body: bytes = b'{"x": 1}', received_at: float = 100.0) -> Callback:
    """Return the callback of request `number`."""
    return Callback(attempt=1, request_id=f"r-{number}", received_at=received_at, body=body)


class Observed:
    """The batch sizes and wakes that the inbox reported."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.wakes: list[Sequence[str]] = []


@asynccontextmanager
async def inbox_at(
    url: str, *, max_pending: int = 10_000, seconds: float = 4.0
) -> AsyncIterator[tuple[Inbox, Observed, Redis]]:
    """Run an inbox until the block ends."""
    observed = Observed()
    async with Redis.from_url(url, socket_timeout=2, socket_connect_timeout=1) as redis:
        inbox = Inbox(
            redis,
            observed.wakes.append,
            observe=observed.sizes.append,
            max_pending=max_pending,
            seconds=seconds,
        )
        running = asyncio.create_task(inbox.run())
        yield inbox, observed, redis
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def stored(redis: Redis, job_id: str) -> list[Callback]:
    """Return the callbacks of a job in the inbox."""
    entries = cast(dict[bytes, bytes], await redis.hgetall(inbox_key(job_id)))
    return [Callback.decode(entry) for entry in entries.values()]


async def test_put_returns_once_the_callback_is_in_redis(redis_url: str) -> None:
    """Callback and pending entry are stored, due after INGEST_GRACE; one wake is sent."""
    async with inbox_at(redis_url) as (inbox, observed, redis):
        await inbox.put("job-1", callback())
        assert [callback()] == await stored(redis, "job-1")
        assert [(b"job-1", 100.0 + INGEST_GRACE)] == await redis.zrange(
            key_of("job-1", INBOX), 0, -1, withscores=True
        )
        assert [["job-1"]] == observed.wakes


async def test_a_lone_callback_is_written_immediately(redis_url: str) -> None:
    """Callbacks one after the other are batches of one."""
    async with inbox_at(redis_url) as (inbox, observed, _):
        for number in range(5):
            await inbox.put("job-1", callback(number))
        assert [1] * 5 == observed.sizes


async def test_callbacks_shortly_after_another_share_a_write(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are written when the interval is over, or as soon as enough of them wait."""
    monkeypatch.setattr("webhook.inbox.INTERVAL", 3_600.0)
    async with inbox_at(redis_url) as (inbox, observed, _), asyncio.timeout(60):
        await inbox.put("job-1", callback(0))
        await asyncio.gather(*(inbox.put("job-1", callback(n)) for n in range(1, ENOUGH + 1)))
        assert [1, ENOUGH] == observed.sizes
        monkeypatch.setattr("webhook.inbox.INTERVAL", 0.05)
        await asyncio.gather(*(inbox.put("job-1", callback(n)) for n in range(10, 12)))
        assert [1, ENOUGH, 2] == observed.sizes


async def test_callbacks_that_arrive_together_share_writes(redis_url: str) -> None:
    """A thousand concurrent callbacks take at most five writes with one wake each."""
    async with inbox_at(redis_url) as (inbox, observed, redis):
        await asyncio.gather(*(inbox.put(f"job-{n}", callback(n)) for n in range(1_000)))
        assert 1_000 == sum(observed.sizes)
        assert max(observed.sizes) <= MAX_BATCH
        assert len(observed.sizes) == len(observed.wakes) <= 5
        assert 1_000 == sum([await redis.zcard(key) for key in all_keys(INBOX)])
        woken = {job_id for wake in observed.wakes for job_id in wake}
        assert {f"job-{n}" for n in range(1_000)} == woken


async def test_a_batch_is_limited_in_bytes_too(redis_url: str) -> None:
    """Large callbacks are split among several writes."""
    body = b"x" * (MAX_BATCH_BYTES // 2)
    async with inbox_at(redis_url) as (inbox, observed, _):
        await asyncio.gather(*(inbox.put(f"job-{n}", callback(n, body=body)) for n in range(6)))
        assert [2, 2, 2] == observed.sizes


async def test_repeats_collapse_and_different_callbacks_do_not(redis_url: str) -> None:
    """Of fal's repeats the first is stored; another body or request is another entry."""
    async with inbox_at(redis_url) as (inbox, _, redis):
        first, again = callback(received_at=100.0), callback(received_at=160.0)
        await asyncio.gather(inbox.put("job-1", first), inbox.put("job-1", again))
        await inbox.put("job-1", again)
        assert [first] == await stored(redis, "job-1")
        await inbox.put("job-1", callback(2))
        await inbox.put("job-1", callback(body=b"{}"))
        assert 3 == len(await stored(redis, "job-1"))


async def test_a_repeat_does_not_delay_the_sweep(redis_url: str) -> None:
    """The time from which the sweep may wake is that of the first delivery."""
    async with inbox_at(redis_url) as (inbox, _, redis):
        await inbox.put("job-1", callback(received_at=100.0))
        await inbox.put("job-1", callback(received_at=500.0))
        assert 100.0 + INGEST_GRACE == await redis.zscore(key_of("job-1", INBOX), "job-1")


async def test_the_script_is_loaded_again_after_redis_lost_it(redis_url: str) -> None:
    """A restarted Redis has no scripts; the next callback is still written."""
    async with inbox_at(redis_url) as (inbox, _, redis):
        await inbox.put("job-1", callback(1))
        await redis.script_flush()
        await inbox.put("job-1", callback(2))
        assert 2 == len(await stored(redis, "job-1"))


async def test_callbacks_beyond_the_queue_limit_are_refused(tmp_path: Path) -> None:
    """While Redis hangs, they are refused as overloaded and memory does not grow."""
    with RedisServer.start(tmp_path) as server:
        async with inbox_at(server.url, max_pending=10, seconds=1.0) as (inbox, _, _):
            await inbox.put("warm", callback())
            os.kill(server.pid, signal.SIGSTOP)
            try:
                puts = [inbox.put(f"job-{n}", callback(n)) for n in range(MAX_BATCH + 50)]
                results = await asyncio.gather(*puts, return_exceptions=True)
            finally:
                os.kill(server.pid, signal.SIGCONT)
            reasons = [r.reason for r in results if isinstance(r, InboxUnavailable)]
            assert MAX_BATCH + 50 == len(reasons)
            assert {"overloaded", "inbox_unavailable"} == set(reasons)


async def test_a_redis_that_hangs_fails_every_caller_in_time(tmp_path: Path) -> None:
    """Callbacks in the batch and behind it all fail within the one time limit."""
    with RedisServer.start(tmp_path) as server:
        async with inbox_at(server.url, seconds=1.0) as (inbox, observed, redis):
            await inbox.put("warm", callback())
            os.kill(server.pid, signal.SIGSTOP)
            try:
                puts = [inbox.put(f"job-{n}", callback(n)) for n in range(MAX_BATCH * 10)]
                async with asyncio.timeout(8):
                    results = await asyncio.gather(*puts, return_exceptions=True)
            finally:
                os.kill(server.pid, signal.SIGCONT)
            assert {"inbox_unavailable"} == {getattr(r, "reason", None) for r in results}
            assert [["warm"]] == observed.wakes
            await inbox.put("after", callback())
            assert 1 == len(await stored(redis, "after"))


async def test_a_redis_that_is_gone_fails_and_comes_back(tmp_path: Path) -> None:
    """While Redis is down, put raises InboxUnavailable; afterwards nothing stored is missing."""
    with RedisServer.start(tmp_path) as server:
        async with inbox_at(server.url) as (inbox, _, redis):
            await inbox.put("before", callback())
            server.kill()
            with pytest.raises(InboxUnavailable) as refused:
                await inbox.put("during", callback())
            assert "inbox_unavailable" == refused.value.reason
            server.restart()
            await inbox.put("after", callback())
            assert [1, 0, 1] == [
                len(await stored(redis, job)) for job in ("before", "during", "after")
            ]


async def test_a_full_redis_is_unavailable(redis_url: str) -> None:
    """Out of memory with noeviction, put raises InboxUnavailable and stores nothing."""
    async with inbox_at(redis_url) as (inbox, _, redis):
        await inbox.put("before", callback())
        await redis.config_set("maxmemory", "1")
        try:
            with pytest.raises(InboxUnavailable):
                await inbox.put("during", callback())
        finally:
            await redis.config_set("maxmemory", "0")
        assert [] == await stored(redis, "during")
        await inbox.put("after", callback())


async def test_a_cancelled_put_does_not_affect_its_batch(redis_url: str) -> None:
    """A put in the same batch still returns, with its callback stored."""
    async with inbox_at(redis_url) as (inbox, _, redis):
        leaving = asyncio.create_task(inbox.put("left", callback()))
        staying = asyncio.create_task(inbox.put("stayed", callback()))
        await asyncio.sleep(0)
        leaving.cancel()
        await staying
        assert 1 == len(await stored(redis, "stayed"))
        assert leaving.cancelled()
