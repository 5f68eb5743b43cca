"""`falhook submit`: create a job, or all the jobs of a file."""

from typing import Any

import click

from worker.cli.completion.endpoints import complete_endpoint, complete_input
from worker.cli.console import json_option
from worker.cli.errors import CliError, handle_errors
from worker.cli.job_filters import tenant_option
from worker.cli.submit.option_flags import platform_options
from worker.cli.submit.usage import SubmitCommand
from worker.jobs.tenant import DEFAULT

MEDIA = "A local file or URL for the endpoint's {} input, which `falhook models show` names."


@click.command(cls=SubmitCommand)
@click.argument("endpoint", required=False, shell_complete=complete_endpoint)
@click.argument("inputs", nargs=-1, metavar="[NAME=VALUE]...", shell_complete=complete_input)
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
@tenant_option("The tenant that the job belongs to.", default=DEFAULT)
@click.option("--notify", metavar="URL", help="Is told of the job's end by a signed webhook.")
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
    endpoint, tenant, notify, metadata, options, unchecked. A .csv file has a column for
    each input, optionally id, endpoint, tenant, notify, unchecked, metadata.NAME,
    options.NAME. Paths of local files are relative to the current directory,
    also in a file of jobs.
    """
    if source is not None:
        from worker.cli.submit.batch import submit_file

        _reject_inputs(flags)
        submit_file(source, endpoint, flags)
        return
    if endpoint is None:
        raise CliError(
            "Name an ENDPOINT (`falhook models` lists them), or a file of jobs with --from."
        )
    from worker.cli.submit.single import submit_job

    submit_job(endpoint, flags)


def _reject_inputs(flags: dict[str, Any]) -> None:
    names = ["inputs", "prompt", "image", "video", "audio", "arguments", "job_id", "follow"]
    if present := [name for name in names if flags[name]]:
        raise CliError(f"--from reads jobs from its file; remove: {', '.join(present)}.")
