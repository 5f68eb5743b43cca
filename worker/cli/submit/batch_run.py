"""The run that creates the jobs of a file, one after the other."""

import sys

import click
from redis.exceptions import RedisError
from rich.console import Console
from rich.progress import Progress

from worker.cli.console import counted, print_json
from worker.cli.interrupts import defer_interrupts
from worker.cli.submit.batch_report import Drafts, Existing, stopped
from worker.errors import Failure
from worker.operations.create import Created, JobCreator
from worker.operations.request import InvalidJobId


def run_batch(
    creator: JobCreator, source: str, drafts: Drafts, existing: Existing, *, as_json: bool
) -> None:
    """Create the jobs that do not exist yet and print each.

    If the run ends early, print how far it came and re-raise.
    """
    console = Console(stderr=True)
    # With a progress bar, lines in between would break it.
    quiet = console.is_terminal and sys.stdout.isatty()
    created = line = 0
    try:
        with Progress(console=console, disable=not console.is_terminal) as bar:
            for line in bar.track(drafts, description="creating jobs"):
                # Otherwise a job could exist that is not counted.
                with defer_interrupts():
                    result = _create(creator, source, line, drafts, existing)
                    created += result.new
                if as_json or not quiet:
                    _print_result(line, result, as_json=as_json)
    except BaseException as error:
        doubt = f", and perhaps that of line {line}" if isinstance(error, RedisError) else ""
        wanted = counted(len(drafts) - len(existing), "job")
        again = "run the same command again: it creates the others, and none twice"
        click.echo(f"{created:,} of {wanted} created{doubt}; {again}.", err=True)
        raise
    click.echo(f"{created:,} created, {len(drafts) - created:,} existed already.", err=True)


def _create(
    creator: JobCreator, source: str, line: int, drafts: Drafts, existing: Existing
) -> Created:
    # An existing job needs no wake: if its wake was lost, the sweep repeats it.
    if job := existing.get(line):
        return Created(job=job, new=False)
    try:
        return creator.add(drafts[line])
    except (Failure, InvalidJobId) as error:
        raise stopped(source, line, error) from None


def _print_result(line: int, result: Created, *, as_json: bool) -> None:
    job = result.job
    if as_json:
        print_json({"line": line, "id": job.id, "state": job.state, "new": result.new})
    elif result.new:
        click.echo(f"{job.id}  line {line}  {job.endpoint}")
