"""`falhook submit`: create a job, or all the jobs of a file."""

import sys
from typing import Any

import click
from redis.exceptions import RedisError

from worker.cli.composition import build_creator, build_validator
from worker.cli.console import as_data, json_option, print_json
from worker.cli.errors import CliError, handle_errors, redis_error
from worker.cli.submit.arguments import arguments_of
from worker.cli.submit.batch import submit_file
from worker.cli.submit.flag_values import pairs
from worker.cli.submit.option_flags import options_of, platform_options
from worker.cli.submit.request_text import already_exists, cost, print_request
from worker.cli.watch import watch_jobs
from worker.operations.create import Created, JobCreator
from worker.operations.request import DraftJob, JobRequest
from worker.operations.validation import Validator
from worker.settings import CreationSettings, CreationWithRedis

MEDIA = "A local file or URL for the endpoint's {} input, which `falhook models show` names."


@click.command()
@click.argument("endpoint", required=False)
@click.argument("inputs", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--prompt", help="The prompt; short for prompt=TEXT.")
@click.option("--image", multiple=True, metavar="FILE|URL", help=MEDIA.format("image"))
@click.option("--video", multiple=True, metavar="FILE|URL", help=MEDIA.format("video"))
@click.option("--audio", multiple=True, metavar="FILE|URL", help=MEDIA.format("audio"))
@click.option(
    "--arguments",
    help="All inputs as a JSON object, @FILE, or - for stdin; other flags override single ones.",
)
@click.option(
    "--metadata",
    multiple=True,
    metavar="NAME=VALUE",
    help="Kept on the record and in the manifest.",
)
@click.option("--id", "job_id", help="Your own job id; the same id is always the same job.")
@click.option(
    "--unchecked", is_flag=True, help="Accept any endpoint of fal and do not validate inputs."
)
@click.option(
    "--from",
    "source",
    metavar="FILE",
    help="Create a job for each row of a .jsonl or .csv file; a rerun creates none twice.",
)
@click.option(
    "--dry-run", is_flag=True, help="Show the request and its cost; send and write nothing."
)
@click.option("--yes", is_flag=True, help="With --from: do not ask before creating the jobs.")
@click.option("--watch", "follow", is_flag=True, help="Follow the job until it has ended.")
@platform_options
@json_option
@handle_errors
def submit(endpoint: str | None, source: str | None, **flags: Any) -> None:
    """Create a job of ENDPOINT, and wake the submit worker.

    \b
    falhook submit fal-ai/kling-video/v2.1/master/text-to-video \\
        --prompt "A red fox in the snow" duration=10 aspect_ratio=9:16
    falhook submit fal-ai/kling-video/v2.1/master/image-to-video \\
        --prompt "The cat looks up" --image ./cat.jpg
    falhook submit --from jobs.jsonl

    \b
    A line of a .jsonl file: {"arguments": {"prompt": "…"}}, optionally with id,
    endpoint, metadata, options, unchecked. A .csv file has a column for each
    input, optionally id, endpoint, unchecked, metadata.NAME, options.NAME.
    Paths of local files are relative to the current directory, also in a file
    of jobs.
    """
    if source is not None:
        _reject_inputs(flags)
        submit_file(source, endpoint, flags)
        return
    if endpoint is None:
        raise CliError(
            "Name an ENDPOINT (`falhook models` lists them), or a file of jobs with --from."
        )
    if flags["dry_run"]:
        draft = _draft(build_validator(CreationSettings.from_env()), endpoint, flags)
        print_request(draft, as_json=flags["as_json"])
        return
    creator = build_creator(CreationWithRedis.from_env())
    draft = _draft(creator.validator, endpoint, flags)
    created = _add(creator, draft)
    _print(created, draft, as_json=flags["as_json"])
    if flags["follow"]:
        sys.exit(watch_jobs(creator.store, [created.job.id], as_json=flags["as_json"]))
    if not flags["as_json"]:
        click.echo(f"Follow it: falhook watch {created.job.id}", err=True)


def _reject_inputs(flags: dict[str, Any]) -> None:
    names = ["inputs", "prompt", "image", "video", "audio", "arguments", "job_id", "follow"]
    if present := [name for name in names if flags[name]]:
        raise CliError(f"--from reads jobs from its file; remove: {', '.join(present)}.")


def _draft(validator: Validator, endpoint: str, flags: dict[str, Any]) -> DraftJob:
    model = validator.find(endpoint, unchecked=flags["unchecked"])
    request = JobRequest(
        endpoint=endpoint,
        arguments=arguments_of(model, flags),
        metadata=pairs(flags["metadata"], "--metadata"),
        job_id=flags["job_id"],
        options=options_of(flags),
        unchecked=flags["unchecked"],
    )
    return validator.validate(request)


def _add(creator: JobCreator, draft: DraftJob) -> Created:
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


def _print(created: Created, draft: DraftJob, *, as_json: bool) -> None:
    job = created.job
    if as_json:
        print_json({**as_data(job), "new": created.new})
        return
    click.echo(f"{job.id}  {job.state}  {job.endpoint}")
    click.echo(cost(draft) if created.new else already_exists(job, draft))
