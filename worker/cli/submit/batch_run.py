"""The jobs of a file, made one after the other."""

import sys

import click
from redis.exceptions import RedisError
from rich.console import Console
from rich.progress import Progress

from worker.cli.console import counted, print_json
from worker.cli.interrupts import interrupts_held
from worker.cli.submit.batch_report import Drafts, Known, stopped
from worker.errors import Failure
from worker.operations.create import Created, JobCreator
from worker.operations.request import InvalidJobId


class BulkRun:
    """One run through the jobs of a file."""

    def __init__(self, creator: JobCreator, source: str, drafts: Drafts, there: Known) -> None:
        self._creator, self._source = creator, source
        self._drafts, self._there = drafts, there
        self._made = 0
        self._doubt = ""

    def run(self, *, as_json: bool) -> None:
        """Every job is there; whatever ends the run before, how far it came is told."""
        try:
            self._all(as_json=as_json)
        except BaseException:
            wanted = len(self._drafts) - len(self._there)
            told = f"{self._made:,} of {counted(wanted, 'job')} made{self._doubt}"
            again = "run the same command again: it makes the others, and none twice"
            click.echo(f"{told}; {again}.", err=True)
            raise
        others = len(self._drafts) - self._made
        click.echo(f"{self._made:,} made, {others:,} were there already.", err=True)

    def _all(self, *, as_json: bool) -> None:
        console = Console(stderr=True)
        # A person sees the bar; lines between would break it.
        quiet = console.is_terminal and sys.stdout.isatty()
        with Progress(console=console, disable=not console.is_terminal) as bar:
            for line in bar.track(self._drafts, description="making jobs"):
                # Else a job might be there that is not counted.
                with interrupts_held():
                    created = self._created(line)
                    job, new = created.job, created.new
                    self._made += new
                if as_json:
                    print_json({"line": line, "id": job.id, "state": job.state, "new": new})
                elif new and not quiet:
                    click.echo(f"{job.id}  line {line}  {job.endpoint}")

    def _created(self, line: int) -> Created:
        # Nobody needs to wake those that are there: if their wake was lost, the sweep does.
        if known := self._there.get(line):
            return Created(job=known, new=False)
        try:
            return self._creator.add(self._drafts[line])
        except (Failure, InvalidJobId) as refused:
            raise stopped(self._source, line, refused) from None
        except RedisError:
            self._doubt = f", and perhaps that of line {line}"
            raise
