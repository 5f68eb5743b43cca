"""A real worker outlives every message and every refusal of Redis."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from infra.local.redis.server import RedisServer
from tests import ROOT
from tests.bench.programs import environment
from tests.factories.queue_entries import create, invalid_entries
from tests.faults.waiting import until
from webhook.contract import EARLIER, Queue
from webhook.settings.settings import Connections
from worker.broker.client import client
from worker.jobs.job import JobState
from worker.jobs.store import JobStore, connect

QUEUES = ",".join(Queue)
COMMAND = ("-m", "celery", "--quiet", "-A", "worker.celery", "worker", "-P", "threads", "-c", "2")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of its own, since other tests empty the shared one."""
    with RedisServer.start(tmp_path / "redis") as running:
        yield running


@pytest.fixture
def redis(server: RedisServer) -> Iterator[Redis]:
    """A plain client."""
    with Redis.from_url(server.url) as connection:
        yield connection


@pytest.fixture
def log(tmp_path: Path) -> Callable[[], list[dict[str, object]]]:
    """Read the worker's log."""
    path = tmp_path / "worker.log"
    path.touch()
    return lambda: [
        json.loads(line)
        # A last line without its end is still being written.
        for line in path.read_text().split("\n")[:-1]
        if line.startswith("{")
    ]


@pytest.fixture
def worker(
    server: RedisServer, redis: Redis, tmp_path: Path, log: object
) -> Iterator["subprocess.Popen[bytes]"]:
    """A worker of all queues, ready."""
    environ = environment(server.url, "https://rest.fal.ai/keys", tmp_path / "storage")
    with (tmp_path / "worker.log").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *COMMAND, "-Q", QUEUES, "-n", "w@%h"],
            cwd=ROOT,
            env=environ,
            stderr=output,
            stdout=output,
        )
        try:
            redis.lpush(Queue.SUBMIT, "not json")
            until(lambda: not redis.llen(Queue.SUBMIT), "the worker is ready", 60)
            yield process
        finally:
            process.terminate()
            process.wait(30)


def works(redis: Redis, server: RedisServer, number: int) -> bool:
    """Return whether a create message is turned into a record, a FAILED one."""
    redis.lpush(Queue.SUBMIT, create({"endpoint": "no/such", "job_id": f"j{number}"}, "m"))
    with connect(server.url) as records:
        store = JobStore(records)
        until(lambda: store.get(f"j{number}") is not None, "the message is taken", 60)
    return True


def test_no_message_ends_a_worker(
    worker: "subprocess.Popen[bytes]",
    redis: Redis,
    server: RedisServer,
    log: Callable[[], list[dict[str, object]]],
) -> None:
    """Each is rejected, logged once without its contents, and counted; none stays in Redis."""
    bad = invalid_entries()
    for queue in Queue:
        redis.lpush(queue, *bad)
    expected = len(bad) * len(Queue) + 1

    def lines() -> list[dict[str, object]]:
        return [line for line in log() if line["event"] == "message.rejected"]

    until(lambda: len(lines()) == expected, "all are rejected", 90)
    assert list(range(1, expected + 1)) == [line["total"] for line in lines()]
    assert set(Queue) == {line["queue"] for line in lines()}
    assert works(redis, server, 1)
    assert not [line for line in log() if "Traceback" in json.dumps(line)]
    # The worker acknowledges a message after the record is there.
    until(lambda: not redis.exists("falhook:unacked", *Queue), "none is left", 30)
    assert worker.poll() is None


def test_garbage_among_unacknowledged_messages(server: RedisServer, redis: Redis) -> None:
    """An entry that cannot be restored is removed, and ends no worker."""
    redis.hset("falhook:unacked", mapping={"a": "junk", "b": "[1, 2]", "c": "[{}, 5, {}]"})
    redis.zadd("falhook:unacked:index", {"a": 1, "b": 1, "c": 1})
    app = client(Connections.from_env({"REDIS_URL": server.url}))
    with app.connection_for_read() as connection:
        channel: Any = connection.default_channel
        channel.qos.restore_visible(interval=1)
    assert 0 == redis.exists("falhook:unacked", "falhook:unacked:index")


@pytest.mark.parametrize("name", ["application/json; charset=utf-8", "Application/JSON", None])
@pytest.mark.parametrize("keywords", [{"endpoint": "no/such", "job_id": "other"}, None])
def test_harmless_spellings_become_a_record(
    worker: "subprocess.Popen[bytes]",
    redis: Redis,
    server: RedisServer,
    name: str | None,
    keywords: dict[str, object] | None,
) -> None:
    """A content type with a parameter, and null for no keywords, reach falhook.create."""
    redis.lpush(Queue.SUBMIT, create(keywords, "other", **{"content-type": name}))
    with connect(server.url) as records:
        store = JobStore(records)
        until(lambda: store.get("other") is not None, "there is a record", 60)
        job = store.get("other")
    assert job is not None
    assert (JobState.FAILED, "unknown_endpoint") == (job.state, job.reason)
    assert worker.poll() is None


def test_ours_are_moved_from_earlier_queues(
    worker: "subprocess.Popen[bytes]", redis: Redis, server: RedisServer
) -> None:
    """The sweep takes falhook's messages, of every priority, and leaves those of others."""
    for number, queue in enumerate(EARLIER.values()):
        redis.lpush(queue, *invalid_entries())
        redis.lpush(queue, create({"endpoint": "no/such", "job_id": f"a{number}"}, "m"))
        urgent = create({"endpoint": "no/such", "job_id": f"b{number}"}, "m")
        redis.lpush(f"{queue}\x06\x163", urgent)
    before = redis.llen("submit")
    noted = [json.loads(create({"endpoint": "no/such", "job_id": "c"}, "m")), "", "submit"]
    redis.hset("unacked", mapping={"ours": json.dumps(noted), "theirs": "[{}, 1, 2]"})
    redis.zadd("unacked_index", {"ours": 1, "theirs": 1})
    sweep = create({}, "s").replace("falhook.create", "falhook.sweep")
    redis.lpush(Queue.CALLBACKS, sweep)
    names = [*(f"{x}{n}" for x in "ab" for n in range(len(EARLIER))), "c"]
    with connect(server.url) as records:
        store = JobStore(records)
        until(lambda: all(store.get(name) for name in names), "all are moved", 60)
    assert ([b"theirs"], [b"theirs"]) == (
        redis.hkeys("unacked"),
        redis.zrange("unacked_index", 0, -1),
    )
    assert before - redis.llen("submit") >= 1
    assert worker.poll() is None


def refuse_writes(redis: Redis) -> Callable[[], object]:
    """Make Redis a replica of nothing; return what ends it."""
    redis.replicaof("127.0.0.1", 1)
    return redis.slaveof


def set_value(name: str, value: str) -> Callable[[Redis], Callable[[], object]]:
    """Return what changes Redis's configuration and returns what changes it back."""

    def change(redis: Redis) -> Callable[[], object]:
        before = str(redis.config_get(name)[name])
        redis.config_set(name, value)
        return lambda: redis.config_set(name, before)

    return change


@pytest.mark.parametrize(
    "fault",
    [refuse_writes, set_value("min-replicas-to-write", "1"), set_value("maxmemory", "1")],
    ids=["replica", "no-replicas", "full"],
)
def test_a_worker_outlives_a_redis_that_refuses(
    worker: "subprocess.Popen[bytes]",
    redis: Redis,
    server: RedisServer,
    log: Callable[[], list[dict[str, object]]],
    fault: Callable[[Redis], Callable[[], object]],
) -> None:
    """It connects again, with pauses, and takes messages once Redis takes writes."""
    assert works(redis, server, 1)
    lift = fault(redis)
    # A full Redis refuses only what the worker writes, not that it takes messages.
    if redis.config_get("maxmemory")["maxmemory"] == "0":
        until(lambda: any("broker" in str(line["event"]) for line in log()), "it is noticed", 60)
    lift()
    assert works(redis, server, 2)
    assert worker.poll() is None
    assert not [line for line in log() if "Frequent restarts" in str(line["event"])]
