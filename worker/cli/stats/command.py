"""The flags of `falhook stats`."""

import click

from worker.cli.console import json_option
from worker.cli.errors import handle_errors
from worker.cli.job_filters import tenant_option


@click.command()
@click.option("--watch", is_flag=True, help="Draw again as jobs move, until Ctrl-C.")
@tenant_option("Only jobs of this tenant.")
@json_option
@handle_errors
def stats(*, watch: bool, tenant: str | None, as_json: bool) -> None:
    """Show how many jobs are in which state, what waits and why, and which processes run.

    It takes three seconds, in which it listens for workers. With --json the numbers of jobs are
    those of GET /v1/stats.
    """
    if watch and as_json:
        raise click.UsageError("--watch draws at a terminal; with --json, run the command again.")
    from worker.cli.stats.run import run_stats

    run_stats(tenant, watch=watch, as_json=as_json)
