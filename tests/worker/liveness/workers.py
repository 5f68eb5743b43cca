"""Real workers that note their beats, with tasks that end only when a test says so."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.local.supervisor.process_guard import ProcessGuard
from tests import ROOT
from tests.faults.waiting import until
from worker.liveness.beat_file import Beat, read_all

SECONDS = 60.0
# Seconds between beats, in place of five; and seconds that `falhook.sweep` may take, of minutes.
EVERY, MOST = 0.1, 0.5
# SIGUSR2 blocks the main loop, as a lock that is never free does; the task waits for a file.
_WORKER = f"""
import signal, sys, threading
from pathlib import Path
from redis import Redis
from webhook.settings.settings import Connections
from worker.broker.client import client
from worker.liveness import celery_hooks
from worker.liveness.beats import Beats
folder, settings = Path(sys.argv[1]), Connections.from_env()
celery_hooks.EVERY = {EVERY}
celery_hooks._ASK = {EVERY}
app = client(settings)
app.conf.update(
    worker_enable_remote_control=False,
    broker_connection_max_retries=None,
    broker_connection_retry_on_startup=True,
    worker_cancel_long_running_tasks_on_connection_loss=False,
)
redis = Redis.from_url(settings.redis_url, socket_timeout=1, socket_connect_timeout=1)
beats = Beats(folder)
celery_hooks.connect(beats, app, most={{"falhook.sweep": {MOST}}}, ping=redis.ping)
@app.task(name="falhook.sweep")
def sweep():
    (folder / "started").touch()
    while not (folder / "end").exists():
        threading.Event().wait(0.05)
@app.task(name="falhook.notify")
def notify():
    while not (folder / "end").exists():
        beats.go_on()
        threading.Event().wait(0.05)
signal.signal(signal.SIGUSR2, lambda *_: threading.Event().wait())
app.worker_main(["worker", "-P", "threads", "-c", "2", "-Q", "callbacks,notify", "-n", "any@%h"])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatingWorker:
    """A worker and the directory of its beats."""

    process: "subprocess.Popen[bytes]"
    directory: Path

    def beat(self) -> Beat | None:
        """Return its last beat, or None."""
        found = dict(read_all(str(self.directory)))
        return next(iter(found.values()), None)

    def last(self) -> Beat:
        """Return its last beat, which is there."""
        beat = self.beat()
        assert beat is not None
        return beat

    def turned(self) -> float:
        """Wait for a further turn of its loop; return when it was."""
        before = self.last().loop
        self.wait(lambda beat: beat.loop > before, "the loop turns")
        return self.last().loop

    def wait(self, condition: Callable[[Beat], bool], what: str) -> Beat:
        """Wait until its beat is such; return it."""

        def holds() -> bool:
            beat = self.beat()
            return beat is not None and condition(beat)

        until(holds, what, SECONDS)
        return self.last()


def faults(beat: Beat) -> list[str]:
    """Return what is wrong with a process now."""
    return list(beat.faults(time.monotonic()))


@contextmanager
def working(redis_url: str, directory: Path) -> Iterator[BeatingWorker]:
    """Run a worker; the block begins once it takes messages."""
    guard = ProcessGuard()
    environ = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "REDIS_URL": redis_url}
    command = (sys.executable, "-c", _WORKER, str(directory))
    process = guard.spawn(command, output=subprocess.DEVNULL, environ=environ)
    try:
        worker = BeatingWorker(process=process, directory=directory)
        worker.wait(lambda beat: None not in {beat.broker, beat.redis}, "the worker is ready")
        yield worker
    finally:
        process.kill()  # a stopped one too
        process.wait()
        guard.close()
