"""`falhook submit --from FILE`: all the jobs of a file, their whole cost asked first."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
from redis.exceptions import RedisError
from rich.console import Console
from rich.progress import Progress

from webhook.settings import SettingsError
from worker import bulk
from worker.checks import Checks
from worker.cli.bulk_report import Drafts, Known, print_rows, refusal, stopped, tell_cost
from worker.cli.command import Problem, counted, print_json
from worker.cli.inputs import pairs
from worker.cli.making import checks_of, creator_of
from worker.cli.options import options_of
from worker.create import Created, Creator
from worker.jobs import Job
from worker.models import Refusal
from worker.options import Options
from worker.order import Draft, JobRefused, Order
from worker.rows import Unreadable
from worker.settings import Making, MakingJobs

Standing = Callable[[Job], Job | None]


def submit_file(source: str, endpoint: str | None, flags: Mapping[str, Any]) -> None:
    """Afterwards every job of the file exists; on any problem none was made by this call."""
    options = options_of(flags)
    # Told here once rather than for every line.
    Options.read(options)
    order = Order(
        endpoint=endpoint or "",
        arguments={},
        metadata=pairs(flags["metadata"], "--metadata"),
        options=options,
        unchecked=flags["unchecked"],
    )
    if flags["dry_run"]:
        checks = checks_of(Making.from_env())
        standing, note = _standing()
        drafts, there = _read(source, order, checks, standing)
        print_rows(drafts, there, as_json=flags["as_json"])
        tell_cost(drafts, there)
        click.echo(f"{note}Nothing was sent and nothing written.", err=True)
        return
    creator = creator_of(MakingJobs.from_env())
    drafts, there = _read(source, order, creator.checks, creator.standing)
    tell_cost(drafts, there)
    if len(drafts) > len(there) and not flags["yes"]:
        _ask(len(drafts) - len(there))
    _Making(creator, source, drafts, there).run(as_json=flags["as_json"])


def _standing() -> tuple[Standing, str]:
    """Looks up whether a job is there, or finds none and says why no record can be read."""
    try:
        return creator_of(MakingJobs.from_env()).standing, ""
    except SettingsError as error:
        reason = str(error).partition(". ")[0]
    except RedisError:
        reason = "Redis at REDIS_URL cannot be asked"
    return lambda _job: None, f"{reason}, so that every job counts as new.\n"


def _read(
    source: str, order: Order, checks: Checks, standing: Standing
) -> tuple[dict[int, Draft], dict[int, Job]]:
    """The jobs of the file by line, and those of them that are there already."""
    try:
        found = bulk.read(Path(source), checks, order)
    except Unreadable as unreadable:
        raise Problem(f"--from: {unreadable}.") from None
    refused, there = dict(found.refused), dict[int, Job]()
    for line, draft in found.drafts.items():
        try:
            job = standing(draft.job)
        except JobRefused as error:
            refused[line] = error
        else:
            there |= {line: job} if job else {}
    if refused:
        raise refusal(source, refused)
    return found.drafts, there


def _ask(count: int) -> None:
    jobs = counted(count, "job")
    if not _stdin_is_a_person():
        raise Problem(f"Nobody can be asked whether to make {jobs}: give --yes.")
    try:
        click.confirm(f"Make {jobs}?", abort=True, err=True)
    except click.Abort:
        click.echo("No job was made.", err=True)
        raise


def _stdin_is_a_person() -> bool:
    return sys.stdin.isatty()


class _Making:
    """One run through the jobs of a file."""

    def __init__(self, creator: Creator, source: str, drafts: Drafts, there: Known) -> None:
        self._creator, self._source = creator, source
        self._drafts, self._there = drafts, there
        self._made = 0

    def run(self, *, as_json: bool) -> None:
        """Every job is there; whatever ends the run before, how far it came is told."""
        try:
            self._all(as_json=as_json)
        except BaseException:
            wanted = len(self._drafts) - len(self._there)
            told = f"{self._made:,} of {counted(wanted, 'job')} made"
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
        except (Refusal, JobRefused) as refused:
            raise stopped(self._source, line, refused) from None
