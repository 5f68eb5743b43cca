"""`falhook cancel`: end jobs before their render, and ask fal once to stop."""

import sys

import click

from worker.cli.completion.jobs import complete_jobs
from worker.cli.console import json_option, print_json
from worker.cli.errors import handle_errors


@click.command()
@click.argument(
    "job_ids", nargs=-1, required=True, metavar="JOB...", shell_complete=complete_jobs("open")
)
@json_option
@handle_errors
def cancel(*, job_ids: tuple[str, ...], as_json: bool) -> None:
    """Cancel JOBs that are not rendered yet.

    fal may still render and bill a running job; its callback is then kept, and `falhook retry`
    publishes it. Exit code 1 if a job was not cancelled.
    """
    from worker.cli.connections import find_job, open_store

    store = open_store()
    jobs = [find_job(store, job_id) for job_id in job_ids]
    # Only now: they import what sends to fal.
    from webhook import log as logs
    from worker.cli.deliveries.wakes import telling
    from worker.fal.client import FalClient
    from worker.operations.cancel import NotCancellable
    from worker.operations.cancel import cancel as cancel_job
    from worker.settings.fal import FalSettings

    logs.configure(level="WARNING")
    fal = FalClient(FalSettings.from_env().fal_key.get_secret_value())
    store = telling(store)
    not_cancelled = 0
    for job in jobs:
        try:
            sentence, done = cancel_job(job, store=store, fal=fal), True
        except NotCancellable as error:
            sentence, done = str(error), False
            not_cancelled += 1
        if as_json:
            print_json({"id": job.id, "cancelled": done, "sentence": sentence})
        else:
            click.echo(f"{sentence}.", err=not done)
    sys.exit(1 if not_cancelled else 0)
