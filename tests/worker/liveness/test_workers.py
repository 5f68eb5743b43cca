"""A real worker's beats: they end with its loop, tell of stuck threads, and outlive the broker."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.redis.server import RedisServer
from tests.worker.liveness.workers import EVERY, SECONDS, BeatingWorker, faults, working
from webhook.contract import Task, celery_app
from worker.liveness.beat_file import MOST_AWAY, MOST_SILENCE

pytestmark = pytest.mark.timeout(180)
# Seconds without a beat.
STILL = 20 * EVERY


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of its own, which is broker too."""
    with RedisServer.start(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def worker(redis: RedisServer, tmp_path: Path) -> Iterator[BeatingWorker]:
    """A worker that is ready."""
    directory = tmp_path / "beats"
    directory.mkdir()
    with working(redis.url, directory) as running:
        yield running


def test_an_idle_worker_is_alive_and_ready(worker: BeatingWorker) -> None:
    """Its loop turns without a message, and nothing is wrong or lacks."""
    worker.turned()
    beat = worker.last()
    assert ([], []) == (faults(beat), list(beat.lacks(time.monotonic())))


@pytest.mark.parametrize("name", ["SIGSTOP", "SIGUSR2"])
def test_a_loop_that_stands_still_is_seen(worker: BeatingWorker, name: str) -> None:
    """Stopped, or blocked while its threads go on: the last beat stays, and becomes too old."""
    worker.turned()
    worker.process.send_signal(getattr(signal, name))
    stopped = worker.wait(lambda beat: time.monotonic() - beat.loop > STILL, "the loop stands")
    [fault] = stopped.faults(stopped.loop + MOST_SILENCE + 1)
    assert "main loop" in fault


def test_a_thread_that_is_stuck_is_seen(worker: BeatingWorker, redis: RedisServer) -> None:
    """A message that takes too long is named, though the loop turns and takes others."""
    celery_app(redis.url, redis={}).send_task(Task.SWEEP)
    beat = worker.wait(lambda beat: bool(faults(beat)), "the thread is stuck")
    worker.turned()
    [fault] = faults(beat)
    assert Task.SWEEP in fault
    (worker.directory / "end").touch()
    worker.wait(lambda beat: not faults(beat), "the thread is free again")


def test_a_task_without_an_end_says_that_it_goes_on(
    worker: BeatingWorker, redis: RedisServer
) -> None:
    """It may take longer than any message, as long as it says so."""
    celery_app(redis.url, redis={}).send_task(Task.NOTIFY)
    began = worker.wait(lambda beat: bool(beat.steps), "the task runs").steps[0][1]
    worker.wait(lambda beat: beat.steps[0][1] > began, "it says that it goes on")


def test_an_outage_leaves_it_alive_and_not_ready(worker: BeatingWorker, redis: RedisServer) -> None:
    """Without the broker its loop turns on, for as long as it takes; only readiness ends."""
    redis.kill()
    worker.turned()
    seen = worker.wait(lambda beat: time.monotonic() - (beat.broker or 0) > STILL, "it is away")
    for _ in range(3):
        worker.turned()
    away = worker.last()
    assert (seen.broker, []) == (away.broker, faults(away))
    later = (away.broker or 0) + MOST_AWAY + STILL
    assert ["the broker", "Redis"] == [each.partition(" has")[0] for each in away.lacks(later)]
    redis.restart()
    worker.wait(lambda beat: (beat.broker or 0) > (away.broker or 0), "the broker is back")


def test_a_worker_that_ends_its_steps_is_alive(worker: BeatingWorker, redis: RedisServer) -> None:
    """After SIGTERM its loop may stand still until the last step is over; then the file is gone."""
    celery_app(redis.url, redis={}).send_task(Task.SWEEP)
    worker.wait(lambda beat: bool(beat.steps), "the task runs")
    worker.process.terminate()
    stopping = worker.wait(lambda beat: beat.stopping, "it says that it ends")
    assert not any("loop" in each for each in stopping.faults(stopping.loop + MOST_SILENCE + 1))
    (worker.directory / "end").touch()
    assert 0 == worker.process.wait(SECONDS)
    assert [] == list(worker.directory.glob("*.beat"))
