"""What `falhook submit` tells of a job before fal hears of it: the request and its cost."""

import json
from urllib.parse import urlencode

import click

from worker.catalogue.options import Options
from worker.cli.console import clock_text, print_json
from worker.jobs.job import Job
from worker.operations.request import DraftJob
from worker.settings import FalHosts
from worker.text import printable

MINTED = "(the submit worker mints it)"


def cost(draft: DraftJob) -> str:
    """What the job should cost, or how that will follow."""
    return draft.model.cost_sentence(draft.job.arguments)


def already_there(job: Job, draft: DraftJob) -> str:
    """That nothing was made and nothing is to be paid, and what of this call holds no more."""
    asked = {"metadata": draft.job.metadata, "options": draft.job.options}
    stands = {"metadata": job.metadata, "options": job.options}
    others = " and ".join(name for name, value in asked.items() if value != stands[name])
    kept = f" Its {others} stay as they were, not as given now." if others else ""
    return f"It was there already, made {clock_text(job.created_at)} UTC; nothing was made.{kept}"


def print_request(draft: DraftJob, *, as_json: bool) -> None:
    """The request as the submit worker would make it, and its cost; nothing is sent."""
    job = draft.job
    headers = Options.read(job.options).headers(job.id)
    if as_json:
        told = {
            "id": job.id,
            "endpoint": job.endpoint,
            "arguments": job.arguments,
            "headers": headers,
            "metadata": job.metadata,
            "estimate": job.estimate,
        }
        print_json(told)
        return
    address = f"{FalHosts.from_env().queue}/{job.endpoint}"
    click.echo(f"POST {address}?{urlencode({'fal_webhook': ''})}{MINTED}")
    for name, value in headers.items():
        click.echo(f"{name}: {value}")
    body = json.dumps(job.arguments, ensure_ascii=False, indent=2)
    click.echo(f"\n{printable(body, lines=True)}\n")
    if draft.staged.files:
        click.echo("The submit worker uploads each upload:// to fal and sends its address instead.")
    click.echo(cost(draft))
    click.echo("Nothing was sent and nothing written.", err=True)
