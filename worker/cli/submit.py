"""`falhook submit`: make a job."""

import json
import sys
from pathlib import Path

import click

from worker.cli.command import Problem, as_data, connections, json_option, plainly, print_json
from worker.cli.watch import watch_jobs
from worker.create import Creator
from worker.jobs import Job, Json
from worker.messages import client, waker
from worker.models import Catalogue, Kind, Model
from worker.records import Records, connect


@click.command()
@click.argument("endpoint")
@click.argument("inputs", nargs=-1, metavar="[NAME=VALUE]...")
@click.option("--prompt", help="The prompt; short for prompt=TEXT.")
@click.option("--arguments", help="All inputs as one JSON object, as @FILE, or - for stdin.")
@click.option(
    "--metadata", multiple=True, metavar="NAME=VALUE", help="Kept on record and manifest."
)
@click.option("--id", "job_id", help="Your own job id; the same id again is the same job.")
@click.option("--watch", "follow", is_flag=True, help="Stay until the job has ended.")
@json_option
@plainly
def submit(
    *,
    endpoint: str,
    inputs: tuple[str, ...],
    prompt: str | None,
    arguments: str | None,
    metadata: tuple[str, ...],
    job_id: str | None,
    follow: bool,
    as_json: bool,
) -> None:
    """Make a job of ENDPOINT from its inputs, and wake the submit worker.

    \b
    falhook submit fal-ai/kling-video/v2.1/master/text-to-video \\
        --prompt "A red fox in the snow" duration=10 aspect_ratio=9:16
    """
    catalogue = Catalogue.load()
    model = catalogue.find(endpoint)
    given = _read(arguments) | dict(_typed(model, text) for text in inputs)
    if prompt is not None:
        given["prompt"] = prompt
    model.check(given)
    settings = connections()
    records = Records(connect(settings.redis_url))
    creator = Creator(records=records, catalogue=catalogue, wake=waker(client(settings)))
    told = dict(_pair(text) for text in metadata)
    job = creator.create(endpoint, given, metadata=told, job_id=job_id)
    _print(job, model, as_json=as_json)
    if follow:
        sys.exit(watch_jobs(records, [job.id], as_json=as_json))


def _print(job: Job, model: Model, *, as_json: bool) -> None:
    if as_json:
        print_json(as_data(job))
        return
    estimate = model.estimate(job.arguments)
    click.echo(f"{job.id}  {job.state}  {job.endpoint}")
    click.echo(estimate.sentence if estimate else "The price of this endpoint is not known.")
    click.echo(f"Follow it: falhook watch {job.id}", err=True)


def _read(arguments: str | None) -> dict[str, object]:
    if arguments is None:
        return {}
    text = arguments
    if arguments == "-":
        text = sys.stdin.read()
    elif arguments.startswith("@"):
        text = _file(Path(arguments[1:]))
    try:
        content = json.loads(text)
    except ValueError as error:
        raise Problem(f"--arguments is not JSON: {error}.") from None
    if not isinstance(content, dict):
        raise Problem('--arguments must be a JSON object, such as \'{"prompt": "…"}\'.')
    return content


def _file(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"--arguments: {path} cannot be read: {error}.") from None


def _pair(text: str) -> tuple[str, Json]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise Problem(f"{text!r} must have the form NAME=VALUE.")
    return name, value


def _typed(model: Model, text: str) -> tuple[str, object]:
    """NAME=VALUE with the value as the endpoint wants it: text stays text, all else is JSON."""
    name, value = _pair(text)
    if not isinstance(value, str) or _is_text(model, name):
        return name, value
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _is_text(model: Model, name: str) -> bool:
    return all(
        not item.many and item.kind in {Kind.TEXT, Kind.STRING, Kind.URL, Kind.SECONDS}
        for item in model.inputs
        if item.name == name
    )
