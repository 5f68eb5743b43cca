"""What a killed worker had taken: a creation comes back within the visibility timeout."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection, Consumer, Exchange
from kombu import Queue as Declaration

from infra.local.supervisor.process_guard import ProcessGuard
from tests import ROOT
from tests.faults.waiting import until
from webhook.contract import Queue, Task, celery_app
from webhook.redis.address import RedisAddress
from worker.broker.client import TRANSPORT
from worker.broker.redis_transport import SCHEME

# Seconds, in place of minutes.
VISIBLE_AFTER = 3.0
QUICK = {
    "visibility_timeout": VISIBLE_AFTER,
    "unacked_restore_interval": 1,
    "unacked_restore_throttle": 1,
}
_SECONDS = 30.0
# A real worker whose task never ends.
_WORKER = f"""
import sys, threading
from pathlib import Path
from webhook.settings.settings import Connections
from worker.broker import client
client.TRANSPORT.update({QUICK!r})
app = client.client(Connections.from_env())
app.conf.update(task_acks_late=True, worker_enable_remote_control=False)
@app.task(name={str(Task.CREATE)!r})
def create(**_):
    Path(sys.argv[1]).touch()
    threading.Event().wait()
app.worker_main(["worker", "-P", "threads", "-c", "1", "-Q", "submit"])
"""


@pytest.fixture
def guard() -> Iterator[ProcessGuard]:
    """Ends the worker with the test."""
    guard = ProcessGuard()
    yield guard
    guard.close()


@pytest.fixture
def other(redis_url: str) -> Iterator[Connection]:
    """The connection of another worker."""
    options = {**TRANSPORT, **QUICK, "address": RedisAddress.parse(redis_url)}
    app = celery_app(redis_url, redis=options, scheme=SCHEME)
    with app.connection_for_read() as connection:
        yield connection


def taken(connection: Connection, seconds: float) -> list[object]:
    """Wait for a message, for at most these seconds; return the task it is for.

    Messages of dead workers are looked for every second, as the event loop of a worker does.
    """
    found: list[object] = []
    channel: Any = connection.default_channel
    queue = Declaration(Queue.SUBMIT, Exchange(Queue.SUBMIT), routing_key=Queue.SUBMIT)
    ends = time.monotonic() + seconds

    def take(_body: object, message: object) -> None:
        found.append(message.headers["task"])  # type: ignore[attr-defined]
        message.ack()  # type: ignore[attr-defined]

    with Consumer(channel, [queue], callbacks=[take]):
        while not found and time.monotonic() < ends:
            channel.qos.restore_visible(interval=1)
            with suppress(TimeoutError):
                connection.drain_events(timeout=1)
    return found


@pytest.mark.timeout(90)
def test_only_a_dead_workers_message_comes_again(
    redis_url: str, other: Connection, guard: ProcessGuard, tmp_path: Path
) -> None:
    """A task that runs for several timeouts keeps its message; once killed, it is delivered."""
    started = tmp_path / "started"
    worker = guard.spawn(
        (sys.executable, "-c", _WORKER, str(started)),
        output=subprocess.DEVNULL,
        environ={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "REDIS_URL": redis_url},
    )
    celery_app(redis_url, redis={}).send_task(Task.CREATE, kwargs={"id": "job1"})
    until(started.exists, "the worker runs the task", _SECONDS)
    assert [] == taken(other, 3 * VISIBLE_AFTER)
    worker.kill()
    worker.wait()
    assert [Task.CREATE] == taken(other, _SECONDS)
