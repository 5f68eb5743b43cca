"""Wakes: what goes to the broker, and that nothing there holds a callback up."""

import json
import os
import queue
import signal
import time
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from infra.local.redis.server import RedisServer
from webhook.contract import Queue, Task
from webhook.publisher import MAX_IDS, MAX_WAITING, WakePublisher, publisher


class Counted:
    """Results of sends, as they come."""

    def __init__(self) -> None:
        self.results: queue.Queue[bool] = queue.Queue()

    def __call__(self, sent: bool) -> None:
        self.results.put(sent)


@pytest.fixture
def counted() -> Counted:
    """What the waker told of its sends."""
    return Counted()


def messages(url: str) -> list[tuple[str, Any]]:
    """Task and arguments of every message in the queue for callbacks, oldest first."""
    with Redis.from_url(url) as redis:
        raw = [json.loads(entry) for entry in redis.lrange(Queue.CALLBACKS, 0, -1)]
    return [
        (entry["headers"]["task"], json.loads(b64decode(entry["body"]))[0]) for entry in raw[::-1]
    ]


def woken(url: str) -> list[str]:
    """The job ids of all messages."""
    return [job_id for task, [ids] in messages(url) for job_id in ids if task == Task.INGEST]


def test_a_wake_is_one_message_with_job_ids_alone(redis_url: str, counted: Counted) -> None:
    """A batch is one falhook.ingest for the whole of it, in the queue for callbacks."""
    waker = WakePublisher(publisher(redis_url), count=counted)
    waker.start()
    waker(["job-1", "job-2", "job-1"])
    assert counted.results.get(timeout=10)
    waker.stop()
    assert [(Task.INGEST, [["job-1", "job-2"]])] == messages(redis_url)


def test_what_was_handed_over_is_sent_before_the_end(redis_url: str) -> None:
    """stop waits for the last wakes, several messages of them."""
    waker = WakePublisher(publisher(redis_url))
    ids = [f"job-{n}" for n in range(MAX_IDS * 2 + 1)]
    waker(ids)
    waker.start()
    waker.stop()
    assert ids == woken(redis_url)
    assert 3 == len(messages(redis_url))


def test_wakes_that_come_together_share_messages(redis_url: str, counted: Counted) -> None:
    """Fifty batches handed over at a time are one message, not fifty."""
    waker = WakePublisher(publisher(redis_url), count=counted)
    for number in range(50):
        waker([f"job-{number}"])
    waker.start()
    assert counted.results.get(timeout=10)
    waker.stop()
    assert 1 == len(messages(redis_url))
    assert 50 == len(woken(redis_url))


def test_a_broker_that_is_away_costs_wakes_and_nothing_else(
    tmp_path: Path, counted: Counted
) -> None:
    """Refused connections are counted and logged; once it is back, wakes go out again."""
    with RedisServer.start(tmp_path) as server:
        waker = WakePublisher(publisher(server.url), count=counted)
        waker.start()
        waker(["before"])
        assert counted.results.get(timeout=10)
        server.kill()
        waker(["during"])
        assert not counted.results.get(timeout=10)
        server.restart()
        waker(["after"])
        assert counted.results.get(timeout=10)
        waker.stop()
        assert ["before", "after"] == woken(server.url)


def test_a_broker_that_hangs_holds_nobody_up(tmp_path: Path, counted: Counted) -> None:
    """Neither those who hand over nor the shutdown wait; the send itself gives up in seconds."""
    with RedisServer.start(tmp_path) as server:
        waker = WakePublisher(publisher(server.url), count=counted)
        waker.start()
        waker(["before"])
        assert counted.results.get(timeout=10)
        os.kill(server.pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            for number in range(MAX_WAITING // 2):
                waker([f"job-{number}"])
            waker.stop(timeout=0.5)
            assert time.monotonic() - began < 2.0
            assert not counted.results.get(timeout=15)
        finally:
            os.kill(server.pid, signal.SIGCONT)


def test_more_wakes_than_may_wait_are_dropped(redis_url: str, counted: Counted) -> None:
    """A broker that is away for long fills no memory: the sweep finds what was dropped."""
    waker = WakePublisher(publisher(redis_url), count=counted)
    for number in range(MAX_WAITING + 5):
        waker([f"job-{number}"])
    assert [False] * 5 == [counted.results.get_nowait() for _ in range(5)]
    waker.start()
    waker.stop(timeout=30)
    assert [f"job-{n}" for n in range(MAX_WAITING)] == woken(redis_url)
