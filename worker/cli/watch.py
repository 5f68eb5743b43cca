"""`falhook watch`: follow jobs live, blocking on the event stream."""

import sys
import time
from collections.abc import Iterator, Sequence

import click
from rich.console import Console
from rich.live import Live

from worker.cli.connections import find_job, open_store
from worker.cli.console import plain_console, print_json
from worker.cli.errors import handle_errors
from worker.cli.stdout import json_lines_option
from worker.cli.timeline import Timeline, live_table
from worker.jobs.change import Event
from worker.jobs.events import follow
from worker.jobs.job import JobState
from worker.jobs.store import JobStore
from worker.text import printable

FRAMES_PER_SECOND = 8
# Seconds without Redis after which watching ends.
QUIET_TIMEOUT = 60.0


@click.command()
@click.argument("job_ids", nargs=-1, metavar="[JOB]...")
@json_lines_option
@handle_errors
def watch(job_ids: tuple[str, ...], as_json: bool) -> None:
    """Follow JOBs until all have ended; without JOBs, print every event until Ctrl-C.

    Exit code 0 if every job was published, 1 if one was not.
    """
    sys.exit(watch_jobs(open_store(), job_ids, as_json=as_json))


def watch_jobs(store: JobStore, job_ids: Sequence[str], *, as_json: bool) -> int:
    """Show the progress of these jobs until all have ended, and return the exit code."""
    timelines = {job_id: _timeline(store, job_id) for job_id in job_ids}
    since = "0" if timelines else "$"
    events = follow(store.redis, job_ids, since=since, patience=QUIET_TIMEOUT, away=_print_away)
    console = plain_console()
    if as_json or not timelines or not console.is_terminal:
        _print_lines(events, timelines, as_json=as_json)
    else:
        _show_table(events, timelines, console)
    return 0 if all(job.state is JobState.PUBLISHED for job in timelines.values()) else 1


def _print_away(error: Exception) -> None:
    click.echo(
        f"Redis at REDIS_URL went away ({type(error).__name__}); retrying for "
        f"{QUIET_TIMEOUT:.0f} s. Jobs are not affected.",
        err=True,
    )


def _timeline(store: JobStore, job_id: str) -> Timeline:
    job = find_job(store, job_id)
    return Timeline(job_id=job.id, endpoint=job.endpoint)


def _all_ended(timelines: dict[str, Timeline]) -> bool:
    return bool(timelines) and all(timeline.final for timeline in timelines.values())


def _print_lines(
    events: Iterator[Event | None], timelines: dict[str, Timeline], *, as_json: bool
) -> None:
    for event in events:
        if event is not None:
            print_json(event) if as_json else click.echo(printable(_line(event)))
            if event["job"] in timelines:
                timelines[event["job"]].take(event)
        if _all_ended(timelines):
            return


def _line(event: Event) -> str:
    at = time.strftime("%H:%M:%S", time.localtime(float(event["at"])))
    shown = {"job", "at", "from", "to", "name", "step"}
    rest = "  ".join(f"{name}={value}" for name, value in event.items() if name not in shown)
    step = event.get("step", "").removeprefix("falhook.")
    return (
        f"{at}  {event['job']}  {event['to']:<14}  {event['name']:<9} {step:<13}  {rest}".rstrip()
    )


def _show_table(
    events: Iterator[Event | None], timelines: dict[str, Timeline], console: Console
) -> None:
    def draw() -> object:
        return live_table(list(timelines.values()), time.time(), width=console.width)

    # Live redraws in its own thread, so that the seconds run while the stream is silent.
    with Live(
        console=console,
        refresh_per_second=FRAMES_PER_SECOND,
        get_renderable=draw,  # type: ignore[arg-type]
    ):
        for event in events:
            if event is not None:
                timelines[event["job"]].take(event)
            if _all_ended(timelines):
                return
