"""`falhook endpoints add`: a new endpoint, whose secret is shown once."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from worker.cli.console import json_option, print_json
from worker.cli.errors import CliError, handle_errors
from worker.cli.job_filters import tenant_option
from worker.jobs.tenant import DEFAULT

if TYPE_CHECKING:
    from worker.notifications.endpoint import Endpoint
    from worker.notifications.signing_keys import SigningKeys


@click.command()
@click.argument("url", required=False)
@tenant_option("The tenant whose jobs it is told of.", DEFAULT)
@click.option(
    "--event",
    "events",
    multiple=True,
    metavar="TYPE",
    help="A type of event, once or more, or job.*; by default the four ends of a job.",
)
@click.option("--description", default="", help="Whose it is, for people.")
@click.option(
    "--ordered", is_flag=True, help="One message at a time, in order; a failing one holds up all."
)
@click.option("--prompt", is_flag=True, help="Messages have the prompt.")
@click.option(
    "--for-jobs", is_flag=True, help="No URL: keys that sign for the addresses that jobs name."
)
@json_option
@handle_errors
def add(
    url: str | None,
    *,
    tenant: str,
    events: Sequence[str],
    description: str,
    ordered: bool,
    prompt: bool,
    for_jobs: bool,
    as_json: bool,
) -> None:
    """Have URL be told of the tenant's jobs, and print its secret, which nothing shows again.

    The receiver verifies each message with it: docs/webhooks.md. Only the secret is printed on
    standard output.
    """
    from worker.cli.endpoints.store import open_endpoints
    from worker.notifications.endpoint import InvalidEndpoint, Kind
    from worker.notifications.event_types import InvalidEvents
    from worker.notifications.target import InvalidTarget

    if for_jobs is (url is not None):
        raise CliError("Give the URL that is told, or --for-jobs for addresses that jobs name.")
    try:
        endpoint, keys = open_endpoints(with_keys=True).add(
            tenant,
            url or "",
            kind=Kind.JOBS if for_jobs else Kind.STANDING,
            events=events,
            description=description,
            ordered=ordered,
            prompt=prompt,
        )
    except (InvalidEndpoint, InvalidEvents, InvalidTarget) as error:
        raise CliError(_sentence(str(error))) from None
    print_keys(endpoint, keys, as_json=as_json)


def print_keys(endpoint: "Endpoint", keys: "SigningKeys", *, as_json: bool) -> None:
    """Print the keys that were made, once."""
    if as_json:
        print_json({**endpoint.data(), "secret": keys.secret, "public_key": keys.public_key})
        return
    click.echo(keys.secret)
    click.echo(
        f"This is the secret of endpoint {endpoint.id} of tenant {endpoint.tenant}. It is not shown"
        f" again. The public key for v1a is {keys.public_key}.",
        err=True,
    )


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:].rstrip('.')}."
