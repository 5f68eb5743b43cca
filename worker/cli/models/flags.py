"""The flags of `falhook models add` and `falhook models refresh`."""

import click

from worker.cli.console import json_option
from worker.cli.errors import handle_errors


@click.command()
@click.argument("endpoint")
@click.option(
    "--from",
    "source",
    metavar="FILE|URL",
    help="Its OpenAPI description; default: the one of fal.ai.",
)
@json_option
@handle_errors
def add(endpoint: str, source: str | None, as_json: bool) -> None:
    """Add fal's description of ENDPOINT to your own catalogue, the directory FALHOOK_CATALOGUE.

    Running workers read it when they restart.
    """
    from worker.cli.models.add import add_endpoint

    add_endpoint(endpoint, source, as_json=as_json)


@click.command()
@json_option
@handle_errors
def refresh(as_json: bool) -> None:
    """Read fal's prices for your account into the directory FALHOOK_CATALOGUE.

    Estimates then use them, with their day and source. Running workers read them when they
    restart. If fal does not answer, the prices stay as they are.
    """
    from worker.cli.models.refresh import refresh_prices

    refresh_prices(as_json=as_json)
