"""Redis is killed, frozen and cut off under load; every worker resumes by itself."""

import os
import signal
from collections.abc import Callable

import pytest

from tests.faults.system import StormSystem
from tests.faults.waiting import until
from webhook.contract import Queue, Task

pytestmark = pytest.mark.faults
KILLS = 8
WITHIN = 15.0
TASKS = {
    Queue.SUBMIT: Task.SUBMIT,
    Queue.CALLBACKS: Task.INGEST,
    Queue.MEDIA: Task.TRANSCODE_TAG,
    Queue.PUBLISH: Task.PUBLISH,
}


def fill(system: StormSystem, queue: Queue, messages: int) -> None:
    """Send this many messages for an unknown job: cheap work that keeps workers busy."""
    argument = ["nobody"] if queue is Queue.CALLBACKS else "nobody"
    for _ in range(messages):
        system.wake(TASKS[queue], argument)


def length(system: StormSystem, queue: Queue) -> int:
    """Return how many messages wait in the queue."""
    return int(str(system.raw.llen(queue)))


def drain(system: StormSystem, queue: Queue) -> float:
    """Wait until the worker has taken all messages of the queue; return the seconds."""
    return until(lambda: length(system, queue) == 0, f"{queue} is drained", WITHIN)


def busy_system(start: Callable[..., StormSystem]) -> StormSystem:
    """Start a system; return it once every worker has taken a message."""
    system = start()
    for queue in TASKS:
        fill(system, queue, 1)
    for queue in TASKS:
        drain(system, queue)
    return system


@pytest.mark.timeout(170)
def test_killed_eight_times(start: Callable[..., StormSystem]) -> None:
    """After each of eight kills of Redis under load every worker resumes within 15 s."""
    system = busy_system(start)
    for _ in range(KILLS):
        for queue in TASKS:
            fill(system, queue, 150)
        until(lambda: any(length(system, queue) < 100 for queue in TASKS), "work began", 15)
        system.redis.kill()
        system.redis.restart()
        for queue in TASKS:
            fill(system, queue, 20)
        for queue in TASKS:
            drain(system, queue)


@pytest.mark.timeout(120)
def test_connections_that_hang_for_ever(start: Callable[..., StormSystem]) -> None:
    """All connections to Redis go half-open together; workers resume within 15 s."""
    system = busy_system(start)
    assert system.proxy.abandon() > 0
    for queue in TASKS:
        fill(system, queue, 5)
    for queue in TASKS:
        drain(system, queue)


@pytest.mark.timeout(120)
def test_redis_frozen(start: Callable[..., StormSystem]) -> None:
    """Every worker resumes after Redis has not answered for 8 s."""
    system = busy_system(start)
    os.kill(system.redis.pid, signal.SIGSTOP)
    try:
        until(lambda: system.redis.ended(8.0) or True, "time passed", 10)
    finally:
        os.kill(system.redis.pid, signal.SIGCONT)
    for queue in TASKS:
        fill(system, queue, 5)
    for queue in TASKS:
        drain(system, queue)
