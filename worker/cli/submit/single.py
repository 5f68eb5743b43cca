"""`falhook submit ENDPOINT`: create one job and, if asked to, follow it."""

import sys
from typing import TYPE_CHECKING, Any

import click

from worker.cli.composition import build_creator, build_validator
from worker.cli.console import print_json
from worker.cli.job_data import as_data
from worker.cli.submit.arguments import arguments_of
from worker.cli.submit.flag_values import pairs
from worker.cli.submit.option_flags import options_of
from worker.cli.submit.request_text import already_exists, cost, print_request
from worker.operations.request import DraftJob, JobRequest
from worker.operations.validation import Validator
from worker.settings.creation import CreationSettings, CreationWithRedis

if TYPE_CHECKING:
    from worker.operations.create import Created, JobCreator


def submit_job(endpoint: str, flags: dict[str, Any]) -> None:
    """Create the job of these flags, or show its request with --dry-run."""
    if flags["dry_run"]:
        draft = _draft(build_validator(CreationSettings.from_env()), endpoint, flags)
        print_request(draft, as_json=flags["as_json"])
        return
    creator = build_creator(CreationWithRedis.from_env())
    draft = _draft(creator.validator, endpoint, flags)
    created = _add(creator, draft)
    _print(created, draft, as_json=flags["as_json"])
    if flags["follow"]:
        from worker.cli.watch import watch_jobs

        sys.exit(watch_jobs(creator.store, [created.job.id], as_json=flags["as_json"]))
    if not flags["as_json"]:
        click.echo(f"Follow it: falhook watch {created.job.id}", err=True)


def _draft(validator: Validator, endpoint: str, flags: dict[str, Any]) -> DraftJob:
    model = validator.find(endpoint, unchecked=flags["unchecked"])
    request = JobRequest(
        endpoint=endpoint,
        arguments=arguments_of(model, flags),
        metadata=pairs(flags["metadata"], "--metadata"),
        job_id=flags["job_id"],
        options=options_of(flags),
        unchecked=flags["unchecked"],
        tenant=flags["tenant"],
        notify=flags["notify"],
    )
    return validator.validate(request)


def _add(creator: "JobCreator", draft: DraftJob) -> "Created":
    # Imported here: a dry run asks no Redis.
    from redis.exceptions import RedisError

    from worker.cli.redis_errors import redis_error

    try:
        return creator.add(draft)
    except RedisError as error:
        # The same command without the id would pay for a second job.
        job_id = draft.job.id
        raise redis_error(
            error,
            f"The job may have been created as {job_id}: repeat the command with --id {job_id} to "
            f"create no second one; `falhook show {job_id}` shows whether it exists.",
        ) from None


def _print(created: "Created", draft: DraftJob, *, as_json: bool) -> None:
    job = created.job
    if as_json:
        print_json({**as_data(job), "new": created.new})
        return
    click.echo(f"{job.id}  {job.state}  {job.endpoint}")
    click.echo(cost(draft) if created.new else already_exists(job, draft))
