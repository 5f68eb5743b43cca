"""`falhook submit --from FILE`: all the jobs of a file, their whole cost asked first."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from redis.exceptions import RedisError

from webhook.settings import SettingsError
from worker.catalogue.options import Options
from worker.cli.composition import checks_of, creator_of
from worker.cli.console import counted
from worker.cli.errors import CliError
from worker.cli.submit.batch_report import print_rows, refusal, tell_cost
from worker.cli.submit.batch_run import BulkRun
from worker.cli.submit.flag_values import pairs
from worker.cli.submit.option_flags import options_of
from worker.jobs.job import Job
from worker.operations import batch
from worker.operations.batch_file import UnreadableFile
from worker.operations.request import DraftJob, InvalidJobId, JobRequest
from worker.operations.validation import Validator
from worker.settings import CreationSettings, CreationWithRedis

Standing = Callable[[Job], Job | None]


def submit_file(source: str, endpoint: str | None, flags: Mapping[str, Any]) -> None:
    """Afterwards every job of the file exists; on any problem none was made by this call."""
    options = options_of(flags)
    # Told here once rather than for every line.
    Options.read(options)
    order = JobRequest(
        endpoint=endpoint or "",
        arguments={},
        metadata=pairs(flags["metadata"], "--metadata"),
        options=options,
        unchecked=flags["unchecked"],
    )
    if flags["dry_run"]:
        checks = checks_of(CreationSettings.from_env())
        standing, note = _standing()
        drafts, there = _read(source, order, checks, standing)
        print_rows(drafts, there, as_json=flags["as_json"])
        tell_cost(drafts, there)
        click.echo(f"{note}Nothing was sent and nothing written.", err=True)
        return
    creator = creator_of(CreationWithRedis.from_env())
    with _nothing_made():
        drafts, there = _read(source, order, creator.checks, creator.existing)
        tell_cost(drafts, there)
        if len(drafts) > len(there) and not flags["yes"]:
            _ask(len(drafts) - len(there))
    BulkRun(creator, source, drafts, there).run(as_json=flags["as_json"])


def _standing() -> tuple[Standing, str]:
    """Looks up whether a job is there, or finds none and says why no record can be read."""
    try:
        return creator_of(CreationWithRedis.from_env()).existing, ""
    except SettingsError as error:
        reason = str(error).partition(". ")[0]
    except RedisError:
        reason = "Redis at REDIS_URL cannot be asked"
    return lambda _job: None, f"{reason}, so that every job counts as new.\n"


def _read(
    source: str, order: JobRequest, checks: Validator, standing: Standing
) -> tuple[dict[int, DraftJob], dict[int, Job]]:
    """The jobs of the file by line, and those of them that are there already."""
    try:
        found = batch.read(Path(source), checks, order)
    except UnreadableFile as unreadable:
        raise CliError(f"--from: {unreadable}.") from None
    refused, there = dict(found.refused), dict[int, Job]()
    for line, draft in found.drafts.items():
        try:
            job = standing(draft.job)
        except InvalidJobId as error:
            refused[line] = error
        else:
            there |= {line: job} if job else {}
    if refused:
        raise refusal(source, refused)
    return found.drafts, there


def _ask(count: int) -> None:
    jobs = counted(count, "job")
    if not _stdin_is_a_person():
        raise CliError(f"Nobody can be asked whether to make {jobs}: give --yes.")
    click.confirm(f"Make {jobs}?", abort=True, err=True)


@contextmanager
def _nothing_made() -> Iterator[None]:
    """Who says no, or interrupts, hears that there is nothing to be put right."""
    try:
        yield
    except (click.Abort, KeyboardInterrupt):
        click.echo("No job was made.", err=True)
        raise


def _stdin_is_a_person() -> bool:
    return sys.stdin.isatty()
