"""`falhook cancel`: end jobs before their render, and ask fal once to stop."""

import sys

import click

from worker.cli.connections import job_of, records
from worker.cli.console import json_option, print_json
from worker.cli.errors import handle_errors
from worker.fal.client import FalClient
from worker.operations.cancel import Cancellation, NotCancellable
from worker.settings import FalSettings


@click.command()
@click.argument("job_ids", nargs=-1, required=True, metavar="JOB...")
@json_option
@handle_errors
def cancel(*, job_ids: tuple[str, ...], as_json: bool) -> None:
    """Cancel JOBs that are not rendered yet.

    fal may render and bill a running job all the same; its callback is then kept, and
    `falhook retry` publishes it. Exit code 1 if a job goes on.
    """
    found = records()
    fal = FalClient(FalSettings.from_env().fal_key.get_secret_value())
    cancellation = Cancellation(store=found, fal=fal)
    going_on = 0
    for job in [job_of(found, job_id) for job_id in job_ids]:
        try:
            sentence, done = cancellation.cancel(job), True
        except NotCancellable as why:
            sentence, done = str(why), False
            going_on += 1
        if as_json:
            print_json({"id": job.id, "cancelled": done, "sentence": sentence})
        else:
            click.echo(f"{sentence}.", err=not done)
    sys.exit(1 if going_on else 0)
