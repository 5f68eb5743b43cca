"""`falhook endpoints show`: one endpoint, and how it goes."""

import time

import click

from worker.cli.console import clock_text, json_option, print_json
from worker.cli.errors import handle_errors
from worker.text import printable


@click.command()
@click.argument("endpoint_id", metavar="ID")
@json_option
@handle_errors
def show(endpoint_id: str, *, as_json: bool) -> None:
    """Show an endpoint: what it is told, and whether it accepts that. Its secret is not shown."""
    from worker.cli.endpoints.store import find_endpoint, open_endpoints
    from worker.notifications.lanes import Lanes

    endpoints = open_endpoints()
    endpoint = find_endpoint(endpoints, endpoint_id)
    waiting = Lanes(endpoints.redis, clock=time.time).waiting(endpoint.id)
    data = {**endpoint.data(), "waiting": waiting}
    if as_json:
        print_json(data)
        return
    for name in ("created_at", "failing_since"):
        at = data[name]
        data[name] = f"{clock_text(at)} UTC" if isinstance(at, float) else "never"
    data["events"] = " ".join(endpoint.events)
    for name, value in data.items():
        click.echo(f"{name.replace('_', ' '):14} {printable(str(value))}".rstrip())
