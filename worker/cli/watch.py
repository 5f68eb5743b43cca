"""`falhook watch`: follow jobs live from their present state, blocking on the event stream."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from worker.cli.completion.jobs import complete_jobs
from worker.cli.errors import handle_errors
from worker.cli.stdout import json_lines_option

if TYPE_CHECKING:
    from worker.jobs.store import JobStore

# Seconds without Redis after which watching ends.
QUIET_TIMEOUT = 60.0


@click.command()
@click.argument("job_ids", nargs=-1, metavar="[JOB]...", shell_complete=complete_jobs("all"))
@json_lines_option
@handle_errors
def watch(job_ids: tuple[str, ...], as_json: bool) -> None:
    """Follow JOBs until all have ended; without JOBs, print every event until Ctrl-C.

    Events from before a retry are left out. Exit code 0 if every job was published, 1 if one was
    not.
    """
    from worker.cli.connections import open_store

    sys.exit(watch_jobs(open_store(), job_ids, as_json=as_json))


def watch_jobs(store: "JobStore", job_ids: Sequence[str], *, as_json: bool) -> int:
    """Show the progress of these jobs until all have ended, and return the exit code."""
    from worker.cli.console import plain_console
    from worker.cli.watched_jobs import WatchedJobs, print_end, print_lines, show_table
    from worker.jobs.job import JobState

    watched = WatchedJobs.read(store, dict.fromkeys(job_ids))
    console = plain_console()
    if not job_ids:
        click.echo("Waiting for events of all jobs; Ctrl-C ends this.", err=True)
    if as_json or not job_ids or not console.is_terminal:
        print_lines(watched, QUIET_TIMEOUT, as_json=as_json)
    else:
        show_table(watched, QUIET_TIMEOUT, console)
    jobs = watched.jobs()
    if jobs and not as_json:
        print_end(jobs)
    return 0 if all(job.state is JobState.PUBLISHED for job in jobs) else 1
