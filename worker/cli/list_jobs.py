"""`falhook list`: the newest jobs, a line each."""

from functools import partial
from itertools import islice

import click

from worker.cli.console import is_terminal, print_json
from worker.cli.errors import handle_errors
from worker.cli.job_data import as_data
from worker.cli.job_filters import SINCE, select, tenant_option
from worker.cli.pager import pager_option, print_paged
from worker.cli.stdout import json_lines_option
from worker.jobs.job import JobState


@click.command("list")
@click.option(
    "--state", type=click.Choice([state.value for state in JobState], case_sensitive=False)
)
@click.option("--reason", help="Only jobs with this reason code or this beginning: fal_422, fal.")
@click.option("--since", type=SINCE, help="Only jobs created within this time: 90s, 30m, 12h, 7d.")
@tenant_option("Only jobs of this tenant.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@pager_option
@json_lines_option
@handle_errors
def list_jobs(
    *,
    state: str | None,
    reason: str | None,
    since: float | None,
    tenant: str | None,
    limit: int,
    no_pager: bool,
    as_json: bool,
) -> None:
    """List the newest jobs; --state FAILED lists dead letters, --reason chooses among them."""
    from worker.cli.connections import open_store
    from worker.cli.job_table import job_lines, print_jobs
    from worker.jobs.explanation import reasons

    store = open_store()
    chosen = select(store, state=state, reason=reason, since=since, tenant=tenant)
    jobs = tuple(islice(chosen, limit))
    why = reasons(jobs, now=store.clock())
    if as_json:
        for job, text in zip(jobs, why, strict=True):
            print_json({**as_data(job), "why": text})
    elif jobs and is_terminal():
        print_to = partial(print_jobs, jobs=jobs, why=why, now=store.clock())
        print_paged(print_to, no_pager=no_pager)
    elif jobs:
        click.echo("\n".join(job_lines(jobs, why=why, now=store.clock())))
    elif state or reason or since or tenant:
        click.echo("No job matches.", err=True)
    else:
        click.echo("No jobs yet. Create one: falhook submit --help", err=True)
