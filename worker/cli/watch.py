"""`falhook watch`: the way of jobs as it happens, blocking on the event stream."""

import sys
import time
from collections.abc import Iterator, Sequence

import click
from rich.console import Console
from rich.live import Live

from worker.cli.connections import job_of, records
from worker.cli.console import plain_console, print_json
from worker.cli.errors import handle_errors
from worker.cli.stdout import json_lines_option
from worker.cli.timeline import Timeline, live_table
from worker.jobs.change import Event
from worker.jobs.events import follow
from worker.jobs.job import JobState
from worker.jobs.store import JobStore
from worker.text import printable

# How often the picture is drawn anew, in frames a second.
FRAMES = 8
# Seconds without Redis until watching ends.
QUIET_TIMEOUT = 60.0


@click.command()
@click.argument("job_ids", nargs=-1, metavar="[JOB]...")
@json_lines_option
@handle_errors
def watch(job_ids: tuple[str, ...], as_json: bool) -> None:
    """Follow JOBs until all have ended; without any, every event until Ctrl-C.

    Exit code 0 if every job was published, 1 if one was not.
    """
    sys.exit(watch_jobs(records(), job_ids, as_json=as_json))


def watch_jobs(found: JobStore, job_ids: Sequence[str], *, as_json: bool) -> int:
    """Show the way of these jobs until all have ended; the exit code."""
    ways = {job_id: _way(found, job_id) for job_id in job_ids}
    since = "0" if ways else "$"
    events = follow(found.redis, job_ids, since=since, patience=QUIET_TIMEOUT, away=_tell_away)
    console = plain_console()
    if as_json or not ways or not console.is_terminal:
        _lines(events, ways, as_json=as_json)
    else:
        _picture(events, ways, console)
    return 0 if all(way.state is JobState.PUBLISHED for way in ways.values()) else 1


def _tell_away(error: Exception) -> None:
    again = f"asked again for {QUIET_TIMEOUT:.0f} s, jobs go on meanwhile"
    click.echo(f"Redis at REDIS_URL went away ({type(error).__name__}); {again}.", err=True)


def _way(found: JobStore, job_id: str) -> Timeline:
    job = job_of(found, job_id)
    return Timeline(job_id=job.id, endpoint=job.endpoint)


def _ended(ways: dict[str, Timeline]) -> bool:
    return bool(ways) and all(way.final for way in ways.values())


def _lines(events: Iterator[Event | None], ways: dict[str, Timeline], *, as_json: bool) -> None:
    for event in events:
        if event is not None:
            print_json(event) if as_json else click.echo(printable(_line(event)))
            if event["job"] in ways:
                ways[event["job"]].take(event)
        if _ended(ways):
            return


def _line(event: Event) -> str:
    at = time.strftime("%H:%M:%S", time.localtime(float(event["at"])))
    known = {"job", "at", "from", "to", "name", "step"}
    rest = "  ".join(f"{name}={value}" for name, value in event.items() if name not in known)
    step = event.get("step", "").removeprefix("falhook.")
    return (
        f"{at}  {event['job']}  {event['to']:<14}  {event['name']:<9} {step:<13}  {rest}".rstrip()
    )


def _picture(events: Iterator[Event | None], ways: dict[str, Timeline], console: Console) -> None:
    def draw() -> object:
        return live_table(list(ways.values()), time.time(), width=console.width)

    # Drawn anew by a thread of its own, so that the seconds run while the stream is silent.
    with Live(console=console, refresh_per_second=FRAMES, get_renderable=draw):  # type: ignore[arg-type]
        for event in events:
            if event is not None:
                ways[event["job"]].take(event)
            if _ended(ways):
                return
