"""`falhook endpoints rotate`: new keys, beside which the old ones sign for a day."""

import click

from worker.cli.console import json_option
from worker.cli.endpoints.add import print_keys
from worker.cli.errors import CliError, handle_errors


@click.command()
@click.argument("endpoint_id", metavar="ID")
@json_option
@handle_errors
def rotate(endpoint_id: str, *, as_json: bool) -> None:
    """Replace the keys of an endpoint, and print the new secret, which nothing shows again.

    For a day messages have the signatures of both, so that the receiver can change its secret at
    any time.
    """
    from worker.cli.endpoints.store import find_endpoint, open_endpoints
    from worker.notifications.endpoint import InvalidEndpoint

    endpoints = open_endpoints(with_keys=True)
    endpoint = find_endpoint(endpoints, endpoint_id)
    try:
        keys = endpoints.rotate(endpoint)
    except InvalidEndpoint as error:
        raise CliError(str(error)) from None
    print_keys(endpoint, keys, as_json=as_json)
