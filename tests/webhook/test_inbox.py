"""The inbox: what `put` promises, on a real Redis."""

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
from webhook.inbox import MAX_BATCH, MAX_BATCH_BYTES, Inbox, InboxUnavailable

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """The receiver runs on asyncio."""
    return "asyncio"


def callback(number: int = 1, *, body: bytes = b'{"x": 1}', received_at: float = 100.0) -> Callback:
    """The callback of request `number`."""
    return Callback(attempt=1, request_id=f"r-{number}", received_at=received_at, body=body)


class Observed:
    """What the inbox told of itself: batch sizes, and wakes."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.wakes: list[Sequence[str]] = []


@asynccontextmanager
async def inbox_at(
    url: str, *, max_pending: int = 10_000, seconds: float = 4.0
) -> AsyncIterator[tuple[Inbox, Observed, Redis]]:
    """An inbox that runs until the block ends."""
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
    """What the inbox holds for a job."""
    entries = cast(dict[bytes, bytes], await redis.hgetall(inbox_key(job_id)))
    return [Callback.decode(entry) for entry in entries.values()]


async def test_put_returns_once_the_callback_stands_in_redis(redis_url: str) -> None:
    """Entry and mark are both there, the job is woken, and the mark leaves the wake its time."""
    async with inbox_at(redis_url) as (inbox, observed, redis):
        await inbox.put("job-1", callback())
        assert [callback()] == await stored(redis, "job-1")
        assert [(b"job-1", 100.0 + INGEST_GRACE)] == await redis.zrange(
            INBOX, 0, -1, withscores=True
        )
        assert [["job-1"]] == observed.wakes


async def test_a_lone_callback_waits_for_nobody(redis_url: str) -> None:
    """One after the other, each is a batch of its own."""
    async with inbox_at(redis_url) as (inbox, observed, _):
        for number in range(5):
            await inbox.put("job-1", callback(number))
        assert [1] * 5 == observed.sizes


async def test_callbacks_that_arrive_together_share_writes(redis_url: str) -> None:
    """A thousand at once are a handful of writes, none above the bound, and one wake each."""
    async with inbox_at(redis_url) as (inbox, observed, redis):
        await asyncio.gather(*(inbox.put(f"job-{n}", callback(n)) for n in range(1_000)))
        assert 1_000 == sum(observed.sizes)
        assert max(observed.sizes) <= MAX_BATCH
        assert len(observed.sizes) == len(observed.wakes) <= 5
        assert 1_000 == await redis.zcard(INBOX)
        woken = {job_id for wake in observed.wakes for job_id in wake}
        assert {f"job-{n}" for n in range(1_000)} == woken


async def test_a_batch_is_bounded_in_bytes_too(redis_url: str) -> None:
    """Large callbacks do not pile up into one huge write."""
    body = b"x" * (MAX_BATCH_BYTES // 2)
    async with inbox_at(redis_url) as (inbox, observed, _):
        await asyncio.gather(*(inbox.put(f"job-{n}", callback(n, body=body)) for n in range(6)))
        assert [2, 2, 2] == observed.sizes


async def test_repeats_collapse_and_different_callbacks_do_not(redis_url: str) -> None:
    """fal's repeats are one entry, the first; another body or request is another entry."""
    async with inbox_at(redis_url) as (inbox, _, redis):
        first, again = callback(received_at=100.0), callback(received_at=160.0)
        await asyncio.gather(inbox.put("job-1", first), inbox.put("job-1", again))
        await inbox.put("job-1", again)
        assert [first] == await stored(redis, "job-1")
        await inbox.put("job-1", callback(2))
        await inbox.put("job-1", callback(body=b"{}"))
        assert 3 == len(await stored(redis, "job-1"))


async def test_a_repeat_does_not_put_the_sweep_off(redis_url: str) -> None:
    """The time from which the sweep may wake stays that of the first delivery."""
    async with inbox_at(redis_url) as (inbox, _, redis):
        await inbox.put("job-1", callback(received_at=100.0))
        await inbox.put("job-1", callback(received_at=500.0))
        assert 100.0 + INGEST_GRACE == await redis.zscore(INBOX, "job-1")


async def test_the_script_survives_a_redis_that_forgot_it(redis_url: str) -> None:
    """A restarted Redis has no scripts; the next callback is written all the same."""
    async with inbox_at(redis_url) as (inbox, _, redis):
        await inbox.put("job-1", callback(1))
        await redis.script_flush()
        await inbox.put("job-1", callback(2))
        assert 2 == len(await stored(redis, "job-1"))


async def test_more_than_may_wait_is_refused_at_once(tmp_path: Path) -> None:
    """While Redis hangs, the bound holds: overloaded, not a growing heap."""
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
    """Those of the batch and those who wait behind it: all within the one limit."""
    with RedisServer.start(tmp_path) as server:
        async with inbox_at(server.url, seconds=1.0) as (inbox, observed, redis):
            await inbox.put("warm", callback())
            os.kill(server.pid, signal.SIGSTOP)
            try:
                puts = [inbox.put(f"job-{n}", callback(n)) for n in range(600)]
                async with asyncio.timeout(1.9):
                    results = await asyncio.gather(*puts, return_exceptions=True)
            finally:
                os.kill(server.pid, signal.SIGCONT)
            assert {"inbox_unavailable"} == {getattr(r, "reason", None) for r in results}
            assert [["warm"]] == observed.wakes
            await inbox.put("after", callback())
            assert 1 == len(await stored(redis, "after"))


async def test_a_redis_that_is_gone_fails_and_comes_back(tmp_path: Path) -> None:
    """Killed: InboxUnavailable; restarted: the next callback is written, the old ones are there."""
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
    """Out of memory with noeviction: refused, so that fal tries again, and nothing half-written."""
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


async def test_a_caller_who_left_does_not_disturb_the_others(redis_url: str) -> None:
    """A cancelled put is written all the same, and the rest of its batch is answered."""
    async with inbox_at(redis_url) as (inbox, _, redis):
        leaving = asyncio.create_task(inbox.put("left", callback()))
        staying = asyncio.create_task(inbox.put("stayed", callback()))
        await asyncio.sleep(0)
        leaving.cancel()
        await staying
        assert 1 == len(await stored(redis, "stayed"))
        assert leaving.cancelled()
