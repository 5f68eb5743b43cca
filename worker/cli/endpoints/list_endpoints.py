"""`falhook endpoints list`: a line for each endpoint."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from worker.cli.console import aligned, is_terminal, plain_console, print_json, print_table
from worker.cli.errors import handle_errors
from worker.cli.job_filters import tenant_option
from worker.cli.stdout import json_lines_option

if TYPE_CHECKING:
    from worker.notifications.endpoint import Endpoint

_HEADINGS = ("id", "tenant", "state", "url", "events", "description")


@click.command("list")
@tenant_option("Only endpoints of this tenant.")
@json_lines_option
@handle_errors
def list_endpoints(*, tenant: str | None, as_json: bool) -> None:
    """List endpoints, the oldest first."""
    from worker.cli.endpoints.store import open_endpoints

    found = open_endpoints().list(tenant)
    if as_json:
        for endpoint in found:
            print_json(endpoint.data())
    elif found:
        rows = [_row(endpoint) for endpoint in found]
        if is_terminal():
            print_table(plain_console(), _HEADINGS, rows)
        else:
            click.echo("\n".join(aligned([_HEADINGS, *rows])))
    else:
        click.echo("No endpoints yet. Add one: falhook endpoints add URL", err=True)


def _row(endpoint: "Endpoint") -> Sequence[str]:
    state = f"{endpoint.state} ({endpoint.why})" if endpoint.why else endpoint.state.value
    return (
        endpoint.id,
        endpoint.tenant,
        state,
        endpoint.url or "(addresses of jobs)",
        " ".join(event.removeprefix("job.") for event in endpoint.events),
        endpoint.description,
    )
