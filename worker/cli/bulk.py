"""`falhook submit --from FILE`: all the jobs of a file, their whole cost asked first."""

import sys
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import track

from worker import bulk
from worker.checks import Checks
from worker.cli.command import Problem, print_json
from worker.cli.inputs import pair
from worker.cli.making import checks_of, creator_of
from worker.cli.options import options_of
from worker.create import Created, Creator
from worker.jobs import Job
from worker.options import Options
from worker.order import Draft, JobRefused, Order
from worker.rows import Unreadable
from worker.settings import Making, MakingJobs

_PROBLEMS_TOLD = 40


def submit_file(source: str, endpoint: str | None, flags: Mapping[str, Any]) -> None:
    """Afterwards every job of the file exists; on any problem none was made by this call."""
    options = options_of(flags)
    # Told here once rather than for every line.
    Options.read(options)
    order = Order(
        endpoint=endpoint or "",
        arguments={},
        metadata=dict(pair(text) for text in flags["metadata"]),
        options=options,
        unchecked=flags["unchecked"],
    )
    if flags["dry_run"]:
        drafts, there = _read(source, order, checks_of(Making.from_env()), _nobody)
        _tell_cost(drafts, there)
        for line, draft in drafts.items() if flags["as_json"] else ():
            job = draft.job
            told = {"id": job.id, "endpoint": job.endpoint, "estimate": job.estimate}
            print_json({"line": line, **told})
        click.echo("Nothing was sent and nothing written.", err=True)
        return
    creator = creator_of(MakingJobs.from_env())
    drafts, there = _read(source, order, creator.checks, creator.standing)
    _tell_cost(drafts, there)
    if len(drafts) > len(there) and not flags["yes"]:
        _ask(len(drafts) - len(there))
    _make(creator, drafts, there, as_json=flags["as_json"])


def _nobody(_job: Job) -> None:
    """No job is there where no record is looked at."""


def _read(
    source: str, order: Order, checks: Checks, standing: Callable[[Job], Job | None]
) -> tuple[dict[int, Draft], dict[int, Job]]:
    """The jobs of the file by line, and those of them that are there already."""
    try:
        found = bulk.read(Path(source), checks, order)
    except Unreadable as unreadable:
        raise Problem(f"--from: {unreadable}.") from None
    problems, there = dict(found.problems), dict[int, Job]()
    for line, draft in found.drafts.items():
        try:
            job = standing(draft.job)
        except JobRefused as refused:
            problems[line] = str(refused)
        else:
            there |= {line: job} if job else {}
    if problems:
        raise _problem(source, problems)
    return found.drafts, there


def _problem(source: str, problems: Mapping[int, str]) -> Problem:
    lines = [f"line {line}: {text}" for line, text in sorted(problems.items())]
    beyond = len(lines) - _PROBLEMS_TOLD
    more = [f"and {beyond:,} more"] if beyond > 0 else []
    told = "\n".join([*lines[:_PROBLEMS_TOLD], *more])
    count = f"{len(problems):,} of its jobs cannot be made, so none was"
    return Problem(f"{source}: {count}.\n{told}")


def _tell_cost(drafts: Mapping[int, Draft], there: Mapping[int, Job]) -> None:
    new = [draft for line, draft in drafts.items() if line not in there]
    estimates = [estimate for draft in new if (estimate := draft.estimate)]
    total = sum((estimate.usd for estimate in estimates), Decimal(0))
    unknown = len(new) - len(estimates)
    told = f"{len(new):,} jobs, about ${total:,.2f} in all" if new else "No new job"
    told += f", without {unknown:,} whose cost is not known beforehand" if unknown else ""
    told += f"; {len(there):,} of the file's jobs are there already" if there else ""
    click.echo(f"{told}.", err=True)


def _ask(count: int) -> None:
    if not sys.stdin.isatty():
        raise Problem(f"Nobody can be asked whether to make {count:,} jobs: give --yes.")
    click.confirm(f"Make {count:,} jobs?", abort=True, err=True)


def _make(
    creator: Creator, drafts: Mapping[int, Draft], there: Mapping[int, Job], *, as_json: bool
) -> None:
    console = Console(stderr=True)
    shown = track(drafts.items(), "making jobs", console=console, disable=not console.is_terminal)
    # A person sees the bar; lines between would break it.
    watched = console.is_terminal and sys.stdout.isatty()
    made = 0
    for line, draft in shown:
        # Nobody needs to wake those that are there: if their wake was lost, the sweep does.
        known = there.get(line)
        created = Created(job=known, new=False) if known else creator.add(draft)
        job, new = created.job, created.new
        made += new
        if as_json:
            print_json({"line": line, "id": job.id, "state": job.state, "new": new})
        elif new and not watched:
            click.echo(f"{job.id}  line {line}  {job.endpoint}")
    click.echo(f"{made:,} made, {len(drafts) - made:,} were there already.", err=True)
