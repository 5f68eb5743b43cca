"""`falhook submit`: make a job, or all the jobs of a file."""

import sys
from typing import Any

import click
from redis.exceptions import RedisError

from worker.cli.composition import checks_of, creator_of
from worker.cli.console import as_data, json_option, print_json
from worker.cli.errors import CliError, handle_errors, redis_problem
from worker.cli.submit.arguments import arguments_of
from worker.cli.submit.batch import submit_file
from worker.cli.submit.flag_values import pairs
from worker.cli.submit.option_flags import options_of, platform_options
from worker.cli.submit.request_text import already_there, cost, print_request
from worker.cli.watch import watch_jobs
from worker.operations.create import Created, JobCreator
from worker.operations.request import DraftJob, JobRequest
from worker.operations.validation import Validator
from worker.settings import CreationSettings, CreationWithRedis

IMAGE = "A local file or URL for the endpoint's {} input; `falhook models show` says which it is."


@click.command()
@click.argument("endpoint", required=False)
@click.argument("inputs", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--prompt", help="The prompt; short for prompt=TEXT.")
@click.option("--image", multiple=True, metavar="FILE|URL", help=IMAGE.format("image"))
@click.option("--video", multiple=True, metavar="FILE|URL", help=IMAGE.format("video"))
@click.option("--audio", multiple=True, metavar="FILE|URL", help=IMAGE.format("audio"))
@click.option(
    "--arguments",
    help="Inputs as one JSON object, as @FILE, or - for stdin; flags replace single ones.",
)
@click.option(
    "--metadata", multiple=True, metavar="NAME=VALUE", help="Kept on record and manifest."
)
@click.option("--id", "job_id", help="Your own job id; the same id again is the same job.")
@click.option("--unchecked", is_flag=True, help="Take any endpoint of fal, its inputs as given.")
@click.option(
    "--from",
    "source",
    metavar="FILE",
    help="Make a job of every line of a .jsonl file or row of a .csv; run again, none twice.",
)
@click.option("--dry-run", is_flag=True, help="Show request and cost; send and write nothing.")
@click.option("--yes", is_flag=True, help="With --from: do not ask before the cost is incurred.")
@click.option("--watch", "follow", is_flag=True, help="Stay until the job has ended.")
@platform_options
@json_option
@handle_errors
def submit(endpoint: str | None, source: str | None, **flags: Any) -> None:
    """Make a job of ENDPOINT from its inputs, and wake the submit worker.

    \b
    falhook submit fal-ai/kling-video/v2.1/master/text-to-video \\
        --prompt "A red fox in the snow" duration=10 aspect_ratio=9:16
    falhook submit fal-ai/kling-video/v2.1/master/image-to-video \\
        --prompt "The cat looks up" --image ./cat.jpg
    falhook submit --from jobs.jsonl

    \b
    A line of a .jsonl file: {"arguments": {"prompt": "…"}}, with id, endpoint,
    metadata, options, unchecked where wanted. A .csv file has a column for each
    input, and id, endpoint, unchecked, metadata.NAME, options.NAME where wanted.
    Paths of local files are looked up from the directory that you are in, those
    in a file of jobs too.
    """
    if source is not None:
        _refuse_inputs(flags)
        submit_file(source, endpoint, flags)
        return
    if endpoint is None:
        raise CliError(
            "Name an ENDPOINT, or a file of jobs with --from; `falhook models` lists them."
        )
    if flags["dry_run"]:
        draft = _draft(checks_of(CreationSettings.from_env()), endpoint, flags)
        print_request(draft, as_json=flags["as_json"])
        return
    creator = creator_of(CreationWithRedis.from_env())
    draft = _draft(creator.checks, endpoint, flags)
    created = _added(creator, draft)
    _print(created, draft, as_json=flags["as_json"])
    if flags["follow"]:
        sys.exit(watch_jobs(creator.store, [created.job.id], as_json=flags["as_json"]))
    if not flags["as_json"]:
        click.echo(f"Follow it: falhook watch {created.job.id}", err=True)


def _refuse_inputs(flags: dict[str, Any]) -> None:
    names = ["inputs", "prompt", "image", "video", "audio", "arguments", "job_id", "follow"]
    if given := [name for name in names if flags[name]]:
        raise CliError(f"--from takes the jobs from its file; leave out: {', '.join(given)}.")


def _draft(checks: Validator, endpoint: str, flags: dict[str, Any]) -> DraftJob:
    model = checks.find(endpoint, unchecked=flags["unchecked"])
    order = JobRequest(
        endpoint=endpoint,
        arguments=arguments_of(model, flags),
        metadata=pairs(flags["metadata"], "--metadata"),
        job_id=flags["job_id"],
        options=options_of(flags),
        unchecked=flags["unchecked"],
    )
    return checks.validate(order)


def _added(creator: JobCreator, draft: DraftJob) -> Created:
    try:
        return creator.add(draft)
    except RedisError as error:
        # Whoever ran it again without the id would pay for a second job.
        job_id = draft.job.id
        raise redis_problem(
            error,
            f"The job may have been made as {job_id}: the same command with --id {job_id} makes "
            f"no second one, and `falhook show {job_id}` tells whether it is there.",
        ) from None


def _print(created: Created, draft: DraftJob, *, as_json: bool) -> None:
    job = created.job
    if as_json:
        print_json({**as_data(job), "new": created.new})
        return
    click.echo(f"{job.id}  {job.state}  {job.endpoint}")
    click.echo(cost(draft) if created.new else already_there(job, draft))
