"""`falhook submit --from FILE`: create all jobs of a file, after confirming their total cost."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from redis.exceptions import RedisError

from webhook.settings.errors import SettingsError
from worker.catalogue.options import Options
from worker.cli.composition import build_creator, build_validator
from worker.cli.console import counted
from worker.cli.errors import CliError
from worker.cli.submit.batch_report import print_cost, print_rows, rejected_rows
from worker.cli.submit.batch_run import run_batch
from worker.cli.submit.flag_values import pairs
from worker.cli.submit.option_flags import options_of
from worker.jobs.job import Job
from worker.operations import batch
from worker.operations.batch_file import UnreadableFile
from worker.operations.request import DraftJob, InvalidJobId, JobRequest
from worker.operations.validation import Validator
from worker.settings.creation import CreationSettings, CreationWithRedis

FindExisting = Callable[[Job], Job | None]


def submit_file(source: str, endpoint: str | None, flags: Mapping[str, Any]) -> None:
    """Create every job of the file that does not exist yet; if a row is invalid, create none."""
    options = options_of(flags)
    # Reports invalid options once instead of for every line.
    Options.read(options)
    defaults = JobRequest(
        endpoint=endpoint or "",
        arguments={},
        metadata=pairs(flags["metadata"], "--metadata"),
        options=options,
        unchecked=flags["unchecked"],
        tenant=flags["tenant"],
        notify=flags["notify"],
    )
    if flags["dry_run"]:
        validator = build_validator(CreationSettings.from_env())
        find_existing, note = _existing_or_none()
        drafts, existing = _read(source, defaults, validator, find_existing)
        print_rows(drafts, existing, as_json=flags["as_json"])
        print_cost(drafts, existing)
        click.echo(f"{note}Nothing was sent or written.", err=True)
        return
    creator = build_creator(CreationWithRedis.from_env())
    with _confirming_that_nothing_was_created():
        drafts, existing = _read(source, defaults, creator.validator, creator.existing)
        print_cost(drafts, existing)
        if len(drafts) > len(existing) and not flags["yes"]:
            _confirm(len(drafts) - len(existing))
    run_batch(creator, source, drafts, existing, as_json=flags["as_json"])


def _existing_or_none() -> tuple[FindExisting, str]:
    """Return a look-up of existing jobs; without Redis, one that finds none, and a note why."""
    try:
        return build_creator(CreationWithRedis.from_env()).existing, ""
    except SettingsError as error:
        reason = str(error).partition(". ")[0]
    except RedisError:
        reason = "Redis at REDIS_URL does not answer"
    return lambda _job: None, f"{reason}, so every job counts as new.\n"


def _read(
    source: str, defaults: JobRequest, validator: Validator, find_existing: FindExisting
) -> tuple[dict[int, DraftJob], dict[int, Job]]:
    """Return the jobs of the file by line, and those of them that exist already."""
    try:
        rows = batch.read(Path(source), validator, defaults)
    except UnreadableFile as unreadable:
        raise CliError(f"--from: {unreadable}.") from None
    rejected, existing = dict(rows.refused), dict[int, Job]()
    for line, draft in rows.drafts.items():
        try:
            job = find_existing(draft.job)
        except InvalidJobId as error:
            rejected[line] = error
        else:
            existing |= {line: job} if job else {}
    if rejected:
        raise rejected_rows(source, rejected)
    return rows.drafts, existing


def _confirm(count: int) -> None:
    jobs = counted(count, "job")
    if not _is_interactive():
        raise CliError(f"Standard input is not a terminal; pass --yes to create {jobs}.")
    click.confirm(f"Create {jobs}?", abort=True, err=True)


@contextmanager
def _confirming_that_nothing_was_created() -> Iterator[None]:
    """Print that no job was created if the user says no or interrupts the block."""
    try:
        yield
    except (click.Abort, KeyboardInterrupt):
        click.echo("No job was created.", err=True)
        raise


def _is_interactive() -> bool:
    return sys.stdin.isatty()
