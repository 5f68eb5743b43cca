"""Wakes: the messages to the broker, and a broker that fails delays no callback."""

import json
import os
import queue
import signal
import threading
import time
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from infra.local.redis.server import RedisServer
from webhook.contract import Queue, Task
from webhook.publisher import (
    MAX_IDS,
    MAX_WAITING,
    PAUSE,
    PAUSE_AFTER_FAILURE,
    WakePublisher,
    publishing_app,
)


class Counted:
    """A queue of the results of sends."""

    def __init__(self) -> None:
        self.results: queue.Queue[bool] = queue.Queue()

    def __call__(self, sent: bool) -> None:
        self.results.put(sent)


@pytest.fixture
def counted() -> Counted:
    """The results that the publisher counted."""
    return Counted()


def messages(url: str) -> list[tuple[str, Any]]:
    """Return task and arguments of every message in the callbacks queue, oldest first."""
    with Redis.from_url(url) as redis:
        raw = [json.loads(entry) for entry in redis.lrange(Queue.CALLBACKS, 0, -1)]
    return [
        (entry["headers"]["task"], json.loads(b64decode(entry["body"]))[0]) for entry in raw[::-1]
    ]


def woken(url: str) -> list[str]:
    """Return the job ids of all messages."""
    return [job_id for task, [ids] in messages(url) for job_id in ids if task == Task.INGEST]


def test_a_wake_is_one_message_of_job_ids(redis_url: str, counted: Counted) -> None:
    """A batch is one falhook.ingest message in the callbacks queue."""
    wakes = WakePublisher(publishing_app(redis_url), count=counted)
    wakes.start()
    wakes(["job-1", "job-2", "job-1"])
    assert counted.results.get(timeout=10)
    wakes.stop()
    assert [(Task.INGEST, [["job-1", "job-2"]])] == messages(redis_url)


def test_queued_wakes_are_sent_before_the_end(redis_url: str) -> None:
    """stop waits until all queued job ids are sent, also if they need several messages."""
    wakes = WakePublisher(publishing_app(redis_url))
    ids = [f"job-{n}" for n in range(MAX_IDS * 2 + 1)]
    wakes(ids)
    wakes.start()
    wakes.stop()
    assert ids == woken(redis_url)
    assert 3 == len(messages(redis_url))


def test_wakes_that_come_together_share_messages(redis_url: str, counted: Counted) -> None:
    """Fifty batches queued together are one message."""
    wakes = WakePublisher(publishing_app(redis_url), count=counted)
    for number in range(50):
        wakes([f"job-{number}"])
    wakes.start()
    assert counted.results.get(timeout=10)
    wakes.stop()
    assert 1 == len(messages(redis_url))
    assert 50 == len(woken(redis_url))


def test_a_broker_that_is_down_loses_only_wakes(tmp_path: Path, counted: Counted) -> None:
    """Wakes that fail are counted; once the broker is back, wakes are sent again."""
    with RedisServer.start(tmp_path) as server:
        wakes = WakePublisher(publishing_app(server.url), count=counted)
        wakes.start()
        wakes(["before"])
        assert counted.results.get(timeout=10)
        server.kill()
        wakes(["during"])
        assert not counted.results.get(timeout=10)
        server.restart()
        wakes(["after"])
        assert counted.results.get(timeout=10)
        wakes.stop()
        assert ["before", "after"] == woken(server.url)


def test_a_broker_that_hangs_delays_nothing_else(tmp_path: Path, counted: Counted) -> None:
    """Queueing and shutdown do not wait; the send fails within seconds."""
    with RedisServer.start(tmp_path) as server:
        wakes = WakePublisher(publishing_app(server.url), count=counted)
        wakes.start()
        wakes(["before"])
        assert counted.results.get(timeout=10)
        os.kill(server.pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            for number in range(MAX_WAITING // 2):
                wakes([f"job-{number}"])
            wakes.stop(timeout=0.5)
            assert time.monotonic() - began < 2.0
            assert not counted.results.get(timeout=15)
        finally:
            os.kill(server.pid, signal.SIGCONT)


def test_wakes_beyond_the_queue_limit_are_dropped(redis_url: str, counted: Counted) -> None:
    """They are counted as lost, and the queued ones are sent."""
    wakes = WakePublisher(publishing_app(redis_url), count=counted)
    for number in range(MAX_WAITING + 5):
        wakes([f"job-{number}"])
    assert [False] * 5 == [counted.results.get_nowait() for _ in range(5)]
    wakes.start()
    wakes.stop(timeout=30)
    assert [f"job-{n}" for n in range(MAX_WAITING)] == woken(redis_url)


class _Waits(threading.Event):
    """An event that records how long it is waited for, and does not wait."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: queue.Queue[float | None] = queue.Queue()

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.put(timeout)
        return self.is_set()


def test_ids_are_collected_after_each_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For PAUSE seconds after one that was sent, and for longer after one that failed."""
    with RedisServer.start(tmp_path) as server:
        wakes = WakePublisher(publishing_app(server.url))
        waits = _Waits()
        monkeypatch.setattr(wakes, "_stopped", waits)
        wakes.start()
        wakes(["sent"])
        pauses = [waits.seconds.get(timeout=10)]
        server.kill()
        wakes(["lost"])
        pauses.append(waits.seconds.get(timeout=20))
        wakes.stop()
    assert [PAUSE, PAUSE_AFTER_FAILURE] == pauses
