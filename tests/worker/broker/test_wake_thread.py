"""Wakes by a thread: all are sent, together, once in a while; an absent broker stops nobody."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from celery import Celery
from redis import Redis

from tests.faults.waiting import until
from webhook.contract import ROUTES, Queue, Task
from webhook.settings.settings import Connections
from webhook.task_sender import TaskSender
from worker.broker.client import client
from worker.broker.wake_thread import WakeThread


@contextmanager
def running(app: Celery, clock: list[float] | None = None) -> Iterator[WakeThread]:
    """Run a thread with a clock that stands still; at the end what waits is sent."""
    now = clock if clock is not None else [0.0]
    wakes = WakeThread(app, lost_after=20.0, clock=lambda: now[0])
    wakes.start()
    yield wakes
    wakes.stop(20)
    app.close()


def sent(redis_url: str, queue: Queue = Queue.SUBMIT) -> list[str]:
    """The ids in the messages of a queue, the oldest first."""
    with Redis.from_url(redis_url) as redis:
        entries = redis.lrange(queue, 0, -1)[::-1]
    return [json.loads(entry)["headers"]["argsrepr"][2:-2] for entry in entries]


def test_every_wake_is_sent_when_the_thread_ends(redis_url: str) -> None:
    """Wakes of many threads, and of several tasks, are in the queues of their tasks."""
    with running(client(Connections.from_env({"REDIS_URL": redis_url}))) as wakes:

        def wake(number: int) -> None:
            wakes(Task.SUBMIT, f"job-{number}")
            wakes(Task.PUBLISH, f"job-{number}")

        threads = [threading.Thread(target=wake, args=(number,)) for number in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    expected = {f"job-{number}" for number in range(50)}
    for task in (Task.SUBMIT, Task.PUBLISH):
        ids = sent(redis_url, ROUTES[task])
        assert (50, expected) == (len(ids), set(ids))


def test_wakes_that_come_together_are_one_round_trip(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one is being sent others wait, and are then sent together, each once."""
    trips: list[list[object]] = []
    busy, free = threading.Event(), threading.Event()
    together = TaskSender.together

    def counted(self: TaskSender, task: Task, ids: list[object]) -> None:
        trips.append(ids)
        busy.set()
        free.wait(20)
        together(self, task, ids)

    monkeypatch.setattr(TaskSender, "together", counted)
    with running(client(Connections.from_env({"REDIS_URL": redis_url}))) as wakes:
        wakes(Task.SUBMIT, "first")
        busy.wait(20)
        for name in ("a", "b", "a", "first"):
            wakes(Task.SUBMIT, name)
        free.set()
    assert [["first"], ["a", "b"]] == trips
    assert ["first", "a", "b"] == sent(redis_url)


def test_a_wake_is_not_repeated_before_the_sweep_would_repeat_it(redis_url: str) -> None:
    """A job that is asked for again and again is woken once; after a while, again."""
    clock = [0.0]
    with running(client(Connections.from_env({"REDIS_URL": redis_url})), clock) as wakes:
        wakes(Task.SUBMIT, "job-1")
        until(lambda: ["job-1"] == sent(redis_url), "the first wake is sent", 20)
        wakes(Task.SUBMIT, "job-1")
        wakes(Task.SUBMIT, "job-2")
        until(lambda: ["job-1", "job-2"] == sent(redis_url), "another job is woken", 20)
        clock[0] = 20.0
        wakes(Task.SUBMIT, "job-1")
    assert ["job-1", "job-2", "job-1"] == sent(redis_url)


def test_an_absent_broker_stops_nobody() -> None:
    """A wake returns at once; what was not sent is not remembered as sent."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    app = client(Connections.from_env({"REDIS_URL": f"redis://127.0.0.1:{port}/0"}))
    with running(app) as wakes:
        for number in range(100):
            wakes(Task.SUBMIT, f"job-{number}")
        assert not wakes._recent
