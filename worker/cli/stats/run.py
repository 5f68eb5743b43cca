"""Reads the state of the system and shows it: once, or again as bells of jobs ring."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import click
from redis.exceptions import RedisError
from rich.live import Live

from webhook.contract import Queue
from webhook.settings.settings import Connections
from webhook.shards import SHARDS
from worker.broker.client import client
from worker.broker.heartbeats import WorkerSeen, workers_seen
from worker.broker.queue_length import queue_lengths
from worker.cli.connections import open_store
from worker.cli.console import plain_console, print_json
from worker.cli.stats.deployment import Deployment, ask_receiver, read_deployment
from worker.cli.stats.drawing import Snapshot, drawn, lines, waiting
from worker.cli.stats.recent import recent
from worker.jobs.bells import Bells
from worker.jobs.store import JobStore
from worker.operations.job_stats import JobStats, job_stats

# Seconds: at least between two readings, at most without a bell, and between two looks at
# processes; and without Redis, after which watching ends.
_LEAST, _MOST, _PROCESSES, _AWAY = 1.0, 2.0, 10.0, 60.0
# Seconds after which figures are no longer shown as those of now; more than between two readings.
_FRESH = 5.0


@dataclass(slots=True, kw_only=True)
class Processes:
    """The workers and the receiver, asked in the background: heartbeats take seconds to hear."""

    hear: Callable[[], Sequence[WorkerSeen]]
    public_url: str
    workers: Sequence[WorkerSeen] | None = None
    receiver: str = "being asked …"
    unheard: str = ""
    _asked: float = float("-inf")
    _thread: threading.Thread | None = field(default=None)

    def ask(self) -> threading.Thread | None:
        """Ask again, if the last answers are old; they come later."""
        due = time.monotonic() - self._asked >= _PROCESSES
        if due and (self._thread is None or not self._thread.is_alive()):
            self._asked = time.monotonic()
            self._thread = threading.Thread(target=self._ask, daemon=True)
            self._thread.start()
        return self._thread

    def _ask(self) -> None:
        self.receiver = ask_receiver(self.public_url)
        try:
            self.workers, self.unheard = list(self.hear()), ""
        except Exception as error:  # noqa: BLE001  # kombu raises each transport's own errors
            self.unheard = f"the broker does not answer ({type(error).__name__})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads what is shown; `tenant` is None for all jobs."""

    store: JobStore
    tenant: str | None
    length: Callable[[Queue], int]
    processes: Processes

    def jobs(self) -> JobStats:
        """Return the numbers of jobs."""
        return job_stats(self.store, self.tenant)

    def deployment(self) -> Deployment:
        """Return the processes as far as they have answered."""
        return read_deployment(
            self.store.redis,
            length=self.length,
            workers=self.processes.workers,
            receiver=self.processes.receiver,
            unheard=self.processes.unheard,
        )

    def snapshot(self) -> Snapshot:
        """Return all of it."""
        jobs = self.jobs()
        return Snapshot(
            jobs=jobs,
            deployment=self.deployment(),
            recent=recent(self.store.redis, self.tenant, now=jobs.at),
        )


def run_stats(tenant: str | None, *, watch: bool, as_json: bool) -> None:
    """Show the state of the system once; with `watch` at a terminal, until Ctrl-C."""
    reader = _reader(tenant)
    console = plain_console()
    if watch and console.is_terminal:
        _follow(reader)
        return
    asked = reader.processes.ask()
    if asked is not None:
        asked.join()
    snapshot = reader.snapshot()
    if as_json:
        found = snapshot.recent.as_data() if snapshot.recent else None
        data = {"recent": found, "deployment": snapshot.deployment.as_data()}
        print_json({**snapshot.jobs.as_data(), **data})
    elif console.is_terminal:
        console.print(drawn(snapshot, snapshot.jobs.at))
    else:
        click.echo("\n".join(lines(snapshot, snapshot.jobs.at)))


def _reader(tenant: str | None) -> Reader:
    store = open_store()
    app = client(Connections.from_env())
    return Reader(
        store=store,
        tenant=tenant,
        length=queue_lengths(app),
        processes=Processes(
            hear=lambda: list(workers_seen(app)),
            public_url=os.environ.get("FALHOOK_PUBLIC_URL", "").rstrip("/"),
        ),
    )


def _follow(reader: Reader) -> None:
    """Draw again when a job moves, at most every second; ages run on meanwhile."""
    reader.processes.ask()
    shown, answered = reader.snapshot(), time.monotonic()

    def draw() -> object:
        fresh = time.monotonic() - answered < _FRESH
        return (drawn if fresh else waiting)(shown, reader.store.clock())

    with (
        Bells(reader.store.redis, range(SHARDS)) as bells,
        Live(
            console=plain_console(),
            refresh_per_second=2,
            get_renderable=draw,  # type: ignore[arg-type]
        ),
    ):
        while True:
            try:
                bells.wait(_MOST)
                reader.processes.ask()
                began = time.monotonic()
                shown, answered = reader.snapshot(), began
            except RedisError:
                if time.monotonic() - answered > _AWAY:
                    raise
            time.sleep(_LEAST)
