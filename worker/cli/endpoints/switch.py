"""`falhook endpoints enable`, `disable` and `remove`."""

import click

from worker.cli.console import json_option, print_json
from worker.cli.errors import handle_errors


@click.command()
@click.argument("endpoint_id", metavar="ID")
@json_option
@handle_errors
def enable(endpoint_id: str, *, as_json: bool) -> None:
    """Tell an endpoint of events again.

    What it missed is sent by `falhook deliveries resend --endpoint ID --since AGE`.
    """
    from worker.cli.endpoints.store import find_endpoint, open_endpoints

    endpoints = open_endpoints()
    endpoint = find_endpoint(endpoints, endpoint_id)
    endpoints.enable(endpoint)
    _print(endpoint_id, "is enabled", as_json=as_json)


@click.command()
@click.argument("endpoint_id", metavar="ID")
@json_option
@handle_errors
def disable(endpoint_id: str, *, as_json: bool) -> None:
    """Tell an endpoint nothing from now on; what waits for it is dead, and can be re-sent."""
    from worker.cli.endpoints.store import find_endpoint, open_endpoints

    endpoints = open_endpoints()
    endpoints.disable(find_endpoint(endpoints, endpoint_id))
    _print(endpoint_id, "is disabled", as_json=as_json)


@click.command()
@click.argument("endpoint_id", metavar="ID")
@json_option
@handle_errors
def remove(endpoint_id: str, *, as_json: bool) -> None:
    """Forget an endpoint, with its keys, and what it was told or is owed."""
    from worker.cli.endpoints.store import find_endpoint, open_endpoints

    endpoints = open_endpoints()
    endpoints.remove(find_endpoint(endpoints, endpoint_id))
    _print(endpoint_id, "is removed", as_json=as_json)


def _print(endpoint_id: str, what: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"id": endpoint_id, "done": what.removeprefix("is ")})
    else:
        click.echo(f"Endpoint {endpoint_id} {what}.")
