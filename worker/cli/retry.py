"""`falhook retry`: ended jobs go on from what is stored, without paying again."""

import sys
from collections.abc import Sequence
from decimal import Decimal

import click
from redis.exceptions import RedisError

from worker.cli.connections import job_of, records
from worker.cli.console import counted, json_option, print_json
from worker.cli.errors import CliError, handle_errors, redis_problem
from worker.cli.job_filters import SINCE, select
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore
from worker.operations.retry import NotRetryable, Retry


@click.command()
@click.argument("job_ids", nargs=-1, metavar="[JOB]...")
@click.option("--failed", "state", flag_value=JobState.FAILED.value, help="All failed jobs.")
@click.option("--expired", "state", flag_value=JobState.EXPIRED.value, help="All expired jobs.")
@click.option("--since", type=SINCE, help="Of these, the ones of that age at most: 30m, 12h, 7d.")
@click.option("--reason", help="Of these, the ones with this reason.")
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
    """Bring JOBs that failed, expired or were cancelled back to where they ended.

    Nothing is sent to fal where a result or a source is stored. Exit code 1 if a job stayed.
    --failed leaves out those that were refused when they were made: they hold no inputs.
    """
    if bool(job_ids) == bool(state):
        raise CliError("Name jobs, or --failed or --expired, and not both.")
    found = records()
    jobs = [job_of(found, job_id) for job_id in job_ids] or _made(
        list(select(found, state=state, reason=reason, since=since))
    )
    if resubmit and jobs and not yes:
        _ask(jobs)
    stayed = [job for job in jobs if not _one(found, job, resubmit=resubmit, as_json=as_json)]
    if not jobs:
        click.echo("No such jobs.", err=True)
    sys.exit(1 if stayed else 0)


def _made(jobs: Sequence[Job]) -> Sequence[Job]:
    """Those that came to be; the number of the others is told."""
    made = [job for job in jobs if not job.refused]
    if refused := len(jobs) - len(made):
        what = "orders were" if refused > 1 else "order was"
        click.echo(
            f"{refused:,} refused {what} skipped: send corrected ones; "
            "`falhook list --state FAILED` tells what was wrong.",
            err=True,
        )
    return made


def _ask(jobs: Sequence[Job]) -> None:
    """Nothing, where somebody who saw the price says yes; else the command ends."""
    try:
        click.confirm(_question(jobs), abort=True, err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        click.echo(err=True)
        raise CliError("Nothing was sent to fal, since nobody said yes: give --yes.") from None


def _one(found: JobStore, job: Job, *, resubmit: bool, as_json: bool) -> bool:
    replay = Retry(store=found)
    try:
        to = (replay.resubmit if resubmit else replay.retry)(job)
    except NotRetryable as why:
        if as_json:
            print_json({"id": job.id, "state": job.state, "why": str(why)})
        else:
            click.echo(f"{why}.", err=True)
        return False
    except RedisError as error:
        doubt = f"{job.id} may go on already: the same command once more leaves such a job alone."
        raise redis_problem(error, doubt) from None
    if as_json:
        print_json({"id": job.id, "state": to, "was": job.state})
    else:
        click.echo(f"{job.id}  {job.state} → {to}")
    return True


def _question(jobs: Sequence[Job]) -> str:
    known = [Decimal(str(job.estimate["usd"])) for job in jobs if "usd" in job.estimate]
    unknown = len(jobs) - len(known)
    cost = f"about ${sum(known, Decimal(0))} once more" if known else "an amount not known here"
    rest = f", and {unknown} whose price is not known" if known and unknown else ""
    return f"fal will render {counted(len(jobs), 'job')} again, for {cost}{rest}. Go on?"
