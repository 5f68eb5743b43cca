"""A real beat notes that it works, also while it waits for a broker."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.local.redis.server import RedisServer
from infra.local.supervisor.process_guard import ProcessGuard
from tests import ROOT
from tests.factories.worker_process import worker_environment
from tests.worker.liveness.workers import SECONDS, BeatingWorker, faults

BEAT = "celery --quiet -A worker.celery beat --scheduler celery.beat:Scheduler --pidfile="


@contextmanager
def beating(redis_url: str, broker_url: str, directory: Path) -> Iterator[BeatingWorker]:
    """Run beat as the Procfile does, with a directory for its beats."""
    beats = directory / "beats"
    beats.mkdir()
    guard = ProcessGuard()
    environ = worker_environment(redis_url, directory) | {
        "PYTHONPATH": str(ROOT),
        "FALHOOK_BROKER_URL": broker_url,
        "FALHOOK_HEARTBEAT_DIRECTORY": str(beats),
    }
    command = (sys.executable, "-m", *BEAT.split())
    process = guard.spawn(command, output=subprocess.DEVNULL, environ=environ)
    try:
        yield BeatingWorker(process=process, directory=beats)
    finally:
        process.kill()
        process.wait()
        guard.close()


@pytest.mark.timeout(180)
def test_beat_is_alive_without_a_broker_and_ready_with_one(redis_url: str, tmp_path: Path) -> None:
    """It begins while the broker is away, and its loop turns; once it is there, beat is ready."""
    with RedisServer.start(tmp_path / "broker") as broker:
        broker.kill()
        with beating(redis_url, broker.url, tmp_path) as beat:
            away = beat.wait(lambda beat: beat.redis is not None, "Redis has answered")
            for _ in range(2):
                beat.turned()
            assert ([], None) == (faults(beat.last()), away.broker)
            broker.restart()
            ready = beat.wait(lambda beat: beat.broker is not None, "it has sent a message")
            assert [] == list(ready.lacks(time.monotonic()))
            beat.process.terminate()
            assert 0 == beat.process.wait(SECONDS)
