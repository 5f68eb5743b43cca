"""`falhook list`: the newest jobs, a line each."""

from collections.abc import Sequence
from functools import partial
from itertools import islice

import click

from worker.cli.console import is_terminal, print_json
from worker.cli.errors import handle_errors
from worker.cli.job_data import as_data
from worker.cli.job_filters import SINCE, STATE, print_unreadable, select, tenant_option
from worker.cli.pager import pager_option, print_paged
from worker.cli.stdout import json_lines_option
from worker.jobs.job import Job, UnreadableRecord


@click.command("list")
@click.option("--state", type=STATE)
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

    store = open_store()
    broken: list[UnreadableRecord] = []
    chosen = select(
        store, state=state, reason=reason, since=since, tenant=tenant, unreadable=broken.append
    )
    jobs = tuple(islice(chosen, limit))
    if jobs:
        _print(jobs, now=store.clock(), as_json=as_json, no_pager=no_pager)
    elif not broken:
        filtered = state or reason or since or tenant
        empty = "No jobs yet. Create one: falhook submit --help"
        click.echo("No job matches." if filtered else empty, err=True)
    for record in broken:
        if as_json:
            error = {"reason": "unreadable_record", "sentence": f"{record}."}
            print_json({"id": record.job_id, "error": error})
        else:
            print_unreadable(record)


def _print(jobs: Sequence[Job], *, now: float, as_json: bool, no_pager: bool) -> None:
    from worker.cli.job_table import job_lines, print_jobs
    from worker.jobs.explanation import reasons

    why = reasons(jobs, now=now)
    if as_json:
        for job, text in zip(jobs, why, strict=True):
            print_json({**as_data(job), "why": text})
    elif is_terminal():
        print_paged(partial(print_jobs, jobs=jobs, why=why, now=now), no_pager=no_pager)
    else:
        click.echo("\n".join(job_lines(jobs, why=why, now=now)))
