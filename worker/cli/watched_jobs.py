"""Jobs that a command follows: their present state, then their events as they happen."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

import click
from rich.console import Console
from rich.live import Live

from worker.cli.connections import find_job, no_job
from worker.cli.console import print_json
from worker.cli.job_filters import print_unreadable
from worker.cli.job_text import files_of
from worker.cli.presence import Presence
from worker.cli.timeline import Timeline, live_table
from worker.jobs.change import Event
from worker.jobs.events import follow, read_followed
from worker.jobs.explanation import awaited_queue, reason_text, waiting_for
from worker.jobs.history import present
from worker.jobs.job import FINAL, Job
from worker.jobs.listing import read
from worker.jobs.store import JobStore
from worker.text import printable

FRAMES_PER_SECOND = 8


@dataclass(slots=True, kw_only=True)
class WatchedJobs:
    """The followed jobs; none means all. `past` has their events since the last retry."""

    store: JobStore
    timelines: dict[str, Timeline] = field(default_factory=dict)
    past: list[Event] = field(default_factory=list)
    # The id of the entry after which each job is followed.
    newest: dict[str, str] = field(default_factory=dict)
    presence: Presence = field(default_factory=Presence)

    @classmethod
    def read(cls, store: JobStore, job_ids: Iterable[str]) -> "WatchedJobs":
        """Return the jobs in their present state. Raises CliError for an unknown job."""
        watched = cls(store=store)
        for job_id in job_ids:
            job, watched.newest[job_id] = read_followed(store, job_id)
            if job is None:
                raise no_job(job_id)
            watched.timelines[job_id] = Timeline(job_id=job.id, endpoint=job.endpoint)
            watched.past += present(job)
        watched.past.sort(key=lambda event: float(event["at"]))
        for event in watched.past:
            watched.take(event)
        return watched

    def take(self, event: Event) -> None:
        """Update the timeline of the event's job, if it is followed."""
        if timeline := self.timelines.get(event["job"]):
            timeline.take(event)

    def ended(self) -> bool:
        """Return whether every followed job has ended; False if all jobs are followed."""
        return bool(self.timelines) and all(job.final for job in self.timelines.values())

    def coming(self, patience: float) -> Iterator[Event | None]:
        """Yield later events, and None after a second without one, until all jobs have ended.

        Without Redis for `patience` seconds, its error is raised.
        """
        if self.ended():
            return
        events = follow(
            self.store.redis,
            list(self.timelines),
            since=self.newest if self.timelines else "$",
            patience=patience,
            away=lambda error: _print_away(error, patience),
        )
        for event in events:
            if event is not None:
                self.take(event)
            yield event
            if self.ended():
                return

    def jobs(self) -> Sequence[Job]:
        """Return the present records of the followed jobs."""
        return [find_job(self.store, job_id) for job_id in self.timelines]

    def note_waits(self) -> None:
        """Write on each timeline why its job waits instead of moving on."""
        open_ids = [job_id for job_id, line in self.timelines.items() if not line.final]
        jobs = read(self.store.redis, open_ids, unreadable=print_unreadable)
        now = self.store.clock()
        queues = frozenset(queue for job in jobs if (queue := awaited_queue(job, now=now)))
        unserved = self.presence.unserved(queues)
        for job in jobs:
            self.timelines[job.id].waits = waiting_for(job, now=now, unserved=unserved)


def _print_away(error: Exception, patience: float) -> None:
    click.echo(
        f"Redis at REDIS_URL went away ({type(error).__name__}); retrying for "
        f"{patience:.0f} s. Jobs are not affected.",
        err=True,
    )


def print_lines(watched: WatchedJobs, patience: float, *, as_json: bool) -> None:
    """Print a line for each event until all jobs have ended."""
    noted: dict[str, str] = {}
    for event in chain(watched.past, watched.coming(patience)):
        if event is not None:
            print_json(event) if as_json else click.echo(printable(_line(event)))
            continue
        watched.note_waits()
        for job_id, timeline in watched.timelines.items():
            if timeline.waits and timeline.waits != noted.get(job_id):
                click.echo(f"{job_id} {timeline.waits}", err=True)
            noted[job_id] = timeline.waits


def _line(event: Event) -> str:
    at = time.strftime("%H:%M:%S", time.localtime(float(event["at"])))
    shown = {"id", "job", "at", "from", "to", "name", "step", "files"}
    rest = "  ".join(
        f"{name}={value}" for name, value in event.items() if value and name not in shown
    )
    step = event.get("step", "").removeprefix("falhook.")
    return (
        f"{at}  {event['job']}  {event['to']:<14}  {event['name']:<9} {step:<13}  {rest}".rstrip()
    )


def show_table(watched: WatchedJobs, patience: float, console: Console) -> None:
    """Show a table of the jobs that follows their events until all have ended."""

    def draw() -> object:
        return live_table(list(watched.timelines.values()), time.time(), width=console.width)

    # Live redraws in its own thread, so that the seconds run while the stream is silent.
    with Live(
        console=console,
        refresh_per_second=FRAMES_PER_SECOND,
        get_renderable=draw,  # type: ignore[arg-type]
    ):
        for event in watched.coming(patience):
            if event is None or event["name"] == "retried":
                watched.note_waits()


def print_end(jobs: Sequence[Job]) -> None:
    """Print where the files of each job are, or why it has none."""
    for job in jobs:
        if job.state not in FINAL:
            continue
        reason = reason_text(job)
        click.echo(printable(f"{job.id}  {job.state}{f'  {reason}' if reason else ''}"))
        for address in files_of(job):
            click.echo(printable(f"  {address}"))
