"""`falhook retry`: continue ended jobs from what is stored, without paying again."""

import sys
from collections.abc import Sequence
from decimal import Decimal

import click
from redis.exceptions import RedisError

from worker.cli.connections import find_job, open_store
from worker.cli.console import counted, json_option, print_json
from worker.cli.errors import CliError, handle_errors, redis_error
from worker.cli.job_filters import SINCE, select
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore
from worker.operations.retry import NotRetryable, Retry


@click.command()
@click.argument("job_ids", nargs=-1, metavar="[JOB]...")
@click.option("--failed", "state", flag_value=JobState.FAILED.value, help="All failed jobs.")
@click.option("--expired", "state", flag_value=JobState.EXPIRED.value, help="All expired jobs.")
@click.option("--since", type=SINCE, help="Only those created within this time: 30m, 12h, 7d.")
@click.option("--reason", help="Only those with this reason code.")
@click.option("--resubmit", is_flag=True, help="Send them to fal again, WHICH COSTS AGAIN.")
@click.option("--yes", is_flag=True, help="Do not ask before --resubmit.")
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

    Nothing is sent to fal if a result or a source is stored. Exit code 1 if a job cannot continue.
    --failed skips requests that were rejected at creation, since they have no inputs.
    """
    if bool(job_ids) == bool(state):
        raise CliError("Pass either job ids, or one of --failed and --expired.")
    store = open_store()
    jobs = [find_job(store, job_id) for job_id in job_ids] or _without_rejected(
        list(select(store, state=state, reason=reason, since=since))
    )
    if resubmit and jobs and not yes:
        _confirm(jobs)
    retried = [_retry(store, job, resubmit=resubmit, as_json=as_json) for job in jobs]
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


def _confirm(jobs: Sequence[Job]) -> None:
    """Return if the user accepts the price; else end the command."""
    try:
        click.confirm(_question(jobs), abort=True, err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        click.echo(err=True)
        raise CliError(
            "Standard input is not a terminal; pass --yes to resubmit "
            f"{counted(len(jobs), 'job')}. Nothing was sent to fal."
        ) from None


def _retry(store: JobStore, job: Job, *, resubmit: bool, as_json: bool) -> bool:
    """Retry one job and print its new state; return False if it cannot continue."""
    operation = Retry(store=store)
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


def _question(jobs: Sequence[Job]) -> str:
    known = [Decimal(str(job.estimate["usd"])) for job in jobs if "usd" in job.estimate]
    unknown = len(jobs) - len(known)
    cost = f"about ${sum(known, Decimal(0))} again" if known else "an unknown amount"
    rest = f", and {unknown} of unknown price" if known and unknown else ""
    return f"fal will render {counted(len(jobs), 'job')} again, for {cost}{rest}. Continue?"
