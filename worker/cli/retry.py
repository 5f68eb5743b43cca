"""`falhook retry`: continue ended jobs; a new POST, which may cost, asks first."""

import sys
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING

import click

from worker.cli.completion.jobs import complete_jobs
from worker.cli.console import counted, json_option, print_json
from worker.cli.errors import CliError, handle_errors
from worker.cli.job_filters import SINCE, select
from worker.jobs.job import Job, JobState

if TYPE_CHECKING:
    from worker.catalogue.catalogue import Catalogue
    from worker.operations.retry import Retry


@click.command()
@click.argument("job_ids", nargs=-1, metavar="[JOB]...", shell_complete=complete_jobs("ended"))
@click.option("--failed", "state", flag_value=JobState.FAILED.value, help="All failed jobs.")
@click.option("--expired", "state", flag_value=JobState.EXPIRED.value, help="All expired jobs.")
@click.option("--since", type=SINCE, help="Only those created within this time: 30m, 12h, 7d.")
@click.option("--reason", help="Only those with this reason code, or this beginning of one.")
@click.option(
    "--resubmit", is_flag=True, help="Send also those to fal that it had; THIS MAY COST AGAIN."
)
@click.option("--yes", is_flag=True, help="Do not ask before jobs are sent to fal.")
@json_option
@handle_errors
def retry(
    *,
    job_ids: tuple[str, ...],
    state: str | None,
    since: float | None,
    reason: str | None,
    resubmit: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Continue JOBs that failed, expired or were cancelled from where they ended.

    Nothing is sent to fal if a result or a source is stored. Jobs that fal never had are sent,
    which costs what a new job costs: the command asks first, or needs --yes. Exit code 1 if a job
    cannot continue. --failed skips requests that were rejected at creation, since they have no
    inputs.
    """
    from worker.cli.connections import find_job, open_store

    if bool(job_ids) == bool(state):
        raise CliError("Pass either job ids, or one of --failed and --expired.")
    store = open_store()
    jobs = [find_job(store, job_id) for job_id in dict.fromkeys(job_ids)] or _without_rejected(
        list(select(store, state=state, reason=reason, since=since))
    )
    from worker.cli.deliveries.wakes import telling
    from worker.operations.retry import Retry

    operation = Retry(store=telling(store), catalogue=cache(_catalogue))
    paid = [job for job in jobs if operation.posts(job, resubmit=resubmit)]
    if paid and not yes:
        _confirm(paid, len(jobs))
    retried = [_retry(operation, job, resubmit=resubmit, as_json=as_json) for job in jobs]
    if not jobs:
        click.echo("No job matches.", err=True)
    sys.exit(0 if all(retried) else 1)


def _without_rejected(jobs: Sequence[Job]) -> Sequence[Job]:
    """Return the jobs that were not rejected at creation; print the number of those that were."""
    created = [job for job in jobs if not job.refused]
    if rejected := len(jobs) - len(created):
        click.echo(
            f"Skipped {counted(rejected, 'rejected request')}: submit corrected ones; "
            "`falhook list --state FAILED` shows what was wrong.",
            err=True,
        )
    return created


def _confirm(paid: Sequence[Job], total: int) -> None:
    """Return if the user accepts the price; else end the command before any job has changed."""
    try:
        click.confirm(_question(paid, total), abort=True, err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        click.echo(err=True)
        raise CliError(
            "Standard input is not a terminal; pass --yes to send "
            f"{counted(len(paid), 'job')} to fal. Nothing was sent, and no job was changed."
        ) from None


def _question(paid: Sequence[Job], total: int) -> str:
    known = [Decimal(str(job.estimate["usd"])) for job in paid if "usd" in job.estimate]
    unknown = len(paid) - len(known)
    cost = f"about ${sum(known, Decimal(0))}" if known else "an unknown amount"
    rest = f", and {unknown} of unknown price" if known and unknown else ""
    again = " again" if any(job.posted or job.request_id for job in paid) else ""
    free = total - len(paid)
    others = f" {counted(free, 'other')} will not be sent to fal." if free else ""
    return (
        f"fal will render {counted(len(paid), 'job')}{again}, which may cost {cost}{rest}.{others} "
        "Continue?"
    )


def _catalogue() -> "Catalogue":
    from worker.catalogue.catalogue import Catalogue
    from worker.settings.catalogue_directory import read_catalogue_directory

    return Catalogue.load(read_catalogue_directory())


def _retry(operation: "Retry", job: Job, *, resubmit: bool, as_json: bool) -> bool:
    """Retry one job and print its new state; return False if it cannot continue."""
    from redis.exceptions import RedisError

    from worker.cli.redis_errors import redis_error
    from worker.operations.retry import NotRetryable

    try:
        to = (operation.resubmit if resubmit else operation.retry)(job)
    except NotRetryable as error:
        if as_json:
            print_json({"id": job.id, "state": job.state, "why": str(error)})
        else:
            click.echo(f"{error}.", err=True)
        return False
    except RedisError as error:
        doubt = f"{job.id} may have continued; it is safe to run the same command again."
        raise redis_error(error, doubt) from None
    if as_json:
        print_json({"id": job.id, "state": to, "was": job.state})
    else:
        click.echo(f"{job.id}  {job.state} → {to}")
    return True
