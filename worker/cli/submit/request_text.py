"""Texts of `falhook submit` about one job: its request, its cost, an existing job."""

import json
from urllib.parse import urlencode

import click

from worker.catalogue.options import Options
from worker.cli.console import clock_text, print_json
from worker.jobs.job import Job
from worker.operations.request import DraftJob
from worker.settings.fal import FalHosts
from worker.text import printable

WEBHOOK_NOTE = "(added by the submit worker)"


def cost(draft: DraftJob) -> str:
    """Return what the job should cost, or what the cost depends on."""
    return draft.model.cost_sentence(draft.job.arguments)


def already_exists(job: Job, draft: DraftJob) -> str:
    """Return that no job was created, and which parts of this request have no effect."""
    requested = {"metadata": draft.job.metadata, "options": draft.job.options}
    existing = {"metadata": job.metadata, "options": job.options}
    ignored = " and ".join(name for name, value in requested.items() if value != existing[name])
    note = f" Its {ignored} were not changed." if ignored else ""
    return f"This job exists already, created {clock_text(job.created_at)} UTC.{note}"


def print_request(draft: DraftJob, *, as_json: bool) -> None:
    """Print the request that the submit worker would send, and its cost."""
    job = draft.job
    options = Options.read(job.options)
    headers = options.headers(job.id)
    if as_json:
        request = {
            "id": job.id,
            "endpoint": job.endpoint,
            "arguments": job.arguments,
            "headers": headers,
            "query": options.query(),
            "metadata": job.metadata,
            "estimate": job.estimate,
        }
        print_json(request)
        return
    address = f"{FalHosts.from_env().queue}/{job.endpoint}"
    query = urlencode({**options.query(), "fal_webhook": ""})
    click.echo(f"POST {address}?{query}{WEBHOOK_NOTE}")
    for name, value in headers.items():
        click.echo(f"{name}: {value}")
    body = json.dumps(job.arguments, ensure_ascii=False, indent=2)
    click.echo(f"\n{printable(body, lines=True)}\n")
    if draft.staged.files:
        click.echo(
            "The submit worker uploads each upload:// file to fal and sends its URL instead."
        )
    click.echo(cost(draft))
    click.echo("Nothing was sent or written.", err=True)
