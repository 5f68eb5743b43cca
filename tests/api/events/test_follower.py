"""The follower on a Redis that goes away."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import structlog

from api.events.follower import STOP
from infra.local.redis.server import RedisServer
from tests.api.events.conftest import Happen, jobs_of
from tests.api.events.following import following
from tests.faults.proxy import Proxy
from tests.faults.waiting import until
from webhook.shards import key_of, shard_of
from worker.jobs.events import newest_entries, place
from worker.jobs.store import EVENTS, JobStore, connect


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that a test may kill."""
    with RedisServer.start(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def records(server: RedisServer) -> Iterator[JobStore]:
    """The records on it."""
    with connect(server.url) as redis:
        yield JobStore(redis)


def test_each_event_is_handed_on_once(
    server: RedisServer, records: JobStore, happen: Happen
) -> None:
    """From the start on, those before it not, and none is lost when Redis is killed."""
    happen("before")
    with (
        structlog.testing.capture_logs() as logged,
        connect(server.url) as redis,
        following(redis) as follow,
    ):
        happen("first")
        seen = follow.names(1)
        server.kill()
        until(lambda: bool(logged), "the loss is logged", 20)
        server.restart()
        happen("second", "third", job="job2")
        seen += follow.names(3)
        until(lambda: len(logged) > 1, "the return is logged", 20)
    assert (
        ["first", "created", "second", "third"],
        ["events.stalled", "events.resumed"],
    ) == (seen, [line["event"] for line in logged])


def test_events_that_nobody_waits_for_are_handed_on_all_the_same(
    records: JobStore, happen: Happen
) -> None:
    """They are read twice a second, so that a client that comes next misses none."""
    with following(records.redis, wanted=False) as follow:
        happen("first", "second")
        assert ["created", "first", "second"] == follow.names(3)


def test_the_frontier_is_the_newest_event(
    server: RedisServer, records: JobStore, happen: Happen
) -> None:
    """Once all streams are read, its id is that of the last event, wanted or not."""
    with connect(server.url) as redis, following(redis) as follow:
        happen("first", job="job2")
        first = follow.batches.get(timeout=20)
        until(lambda: follow.frontier is not None and follow.frontier.ms > 0, "it moved", 20)
        assert follow.frontier is not None
        assert follow.frontier.shard == first.entries[-1].id.shard


def test_an_event_without_a_bell_is_read_while_others_ring(
    server: RedisServer, records: JobStore, happen: Happen
) -> None:
    """All streams are read, also if bells never pause."""
    quiet, ringing = *jobs_of(1), *jobs_of(2)
    happen(job=quiet)
    with connect(server.url) as redis, following(redis) as follow:
        happen("progress", job=quiet)
        seen: list[str] = []

        def read() -> bool:
            records.redis.spublish("falhook:{02}:bell", "1")
            happen("noise", job=ringing)
            seen.extend(follow.names(1))
            return "progress" in seen

        until(read, "the quiet event arrived", 10)


def test_a_server_that_counts_from_less_loses_nothing(
    server: RedisServer, records: JobStore, happen: Happen
) -> None:
    """After an election the new primary lacks the last event, and its clock is behind."""
    happen()
    stream = key_of("job1", EVENTS)
    entry = newest_entries(records.redis)[shard_of("job1")]
    event: dict[Any, Any] = {"id": "job1", "name": "undone"}
    with connect(server.url, decode_responses=False) as raw:
        elected = cast(bytes, raw.dump(stream))
    with connect(server.url) as redis, following(redis) as follow:
        records.redis.xadd(stream, event, id=f"{place(entry)[0] + 4_000}-0")
        assert ["undone"] == follow.names(1)
        records.redis.restore(stream, 0, elected, replace=True)
        server.restart()
        happen("after")
        assert ["after"] == follow.names(1)


def test_stopping_takes_no_longer_while_redis_hangs(
    server: RedisServer, records: JobStore, happen: Happen
) -> None:
    """A command without an answer does not hold the process up, and hands nothing on later."""
    with Proxy(server.port) as proxy:
        url = server.url.replace(str(server.port), str(proxy.port))
        with connect(url) as redis, following(redis) as follow:
            proxy.abandon()
            began = time.monotonic()
            follow.follower.stop()
            assert time.monotonic() - began < STOP + 1
