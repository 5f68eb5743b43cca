"""The tasks of a worker: counted by outcome, and served by a real one at its own port."""

import subprocess
import sys
from contextlib import closing
from functools import partial
from pathlib import Path

import httpx
import pytest

from infra.local.supervisor.process_guard import ProcessGuard
from tests import ROOT
from tests.bench.programs import free_port
from tests.factories.exposition import samples, value
from tests.factories.world import ManualClock
from tests.faults.waiting import until
from webhook.contract import Queue, Task, celery_app
from worker.metrics.page import as_text
from worker.metrics.worker_tasks import WorkerTasks

# One task waits for a file, and the other is a bug.
_WORKER = """
import sys, threading
from pathlib import Path
from webhook.settings.settings import Connections
from worker.broker.client import client
from worker.metrics import celery_hooks
folder, port = Path(sys.argv[1]), int(sys.argv[2])
app = client(Connections.from_env())
app.conf.worker_enable_remote_control = False
celery_hooks.connect("127.0.0.1", port)
@app.task(name="falhook.sweep")
def sweep():
    while not (folder / "end").exists():
        threading.Event().wait(0.02)
@app.task(name="falhook.ingest")
def ingest():
    raise ValueError
app.worker_main(["worker", "-P", "threads", "-c", "3", "-Q", "callbacks", "-n", "any@%h"])
"""


def test_tasks_are_counted_by_outcome() -> None:
    """A message counts when it ends, with its time; one of another program has no name."""
    clock = ManualClock()
    tasks = WorkerTasks(queue=Queue.MEDIA, slots=4, clock=clock)
    tasks.begin()
    assert 1 == value(samples(as_text(tasks.collect)), "falhook_busy_threads", queue=Queue.MEDIA)
    clock.forward(45)
    tasks.end(Task.TRANSCODE_TAG, "SUCCESS")
    tasks.end(Task.TRANSCODE_TAG, "SUCCESS")
    tasks.begin()
    tasks.end("celery.chord", "RETRY")
    found = samples(as_text(tasks.collect))
    done = {"task": Task.TRANSCODE_TAG, "outcome": "done"}
    assert 1 == value(found, "falhook_task_seconds_count", **done)
    assert 0 == value(found, "falhook_task_seconds_bucket", le="30", **done)
    assert 1 == value(found, "falhook_task_seconds_bucket", le="120", **done)
    other = {"task": "other", "outcome": "repeated"}
    assert 1 == value(found, "falhook_task_seconds_count", **other)
    assert 0 == value(found, "falhook_busy_threads", queue=Queue.MEDIA)
    assert 4 == value(found, "falhook_pool_threads", queue=Queue.MEDIA)


@pytest.mark.timeout(120)
def test_a_worker_serves_what_it_does(redis_url: str, tmp_path: Path) -> None:
    """Threads that are busy, then what became of their messages, at the port of its kind."""
    first = free_port()
    url = f"http://127.0.0.1:{first + 1 + list(Queue).index(Queue.CALLBACKS)}/metrics"
    guard = ProcessGuard()
    environ = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "REDIS_URL": redis_url}
    command = (sys.executable, "-c", _WORKER, str(tmp_path), str(first))
    process = guard.spawn(command, output=subprocess.DEVNULL, environ=environ)
    queue = {"queue": Queue.CALLBACKS}

    def shown(name: str, number: float, **labels: str) -> bool:
        try:
            page = httpx.get(url).text
        except httpx.TransportError:
            return False
        return value(samples(page), name, **labels) == number and "process_resident" in page

    with closing(guard):
        app = celery_app(redis_url, redis={})
        for task in (Task.SWEEP, Task.INGEST):
            app.send_task(task)
        until(lambda: shown("falhook_busy_threads", 1, **queue), "one thread is busy", 60)
        assert shown("falhook_pool_threads", 3, **queue)
        (tmp_path / "end").touch()
        for task, outcome in ((Task.SWEEP, "done"), (Task.INGEST, "failed")):
            ended = partial(shown, "falhook_task_seconds_count", 1, task=task, outcome=outcome)
            until(ended, outcome, 60)
        assert 404 == httpx.get(url.replace("metrics", "")).status_code
        process.kill()
        process.wait()
