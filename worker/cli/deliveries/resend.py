"""`falhook deliveries resend`: messages that are sent again, under the same ids."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from worker.cli.console import counted, json_option, print_json
from worker.cli.errors import CliError, handle_errors
from worker.cli.job_filters import SINCE

if TYPE_CHECKING:
    from worker.notifications.history import Histories


@click.command()
@click.argument("deliveries", nargs=-1, metavar="[ID]...")
@click.option("--endpoint", "endpoint_id", metavar="ID", help="With --since: of this endpoint.")
@click.option("--since", type=SINCE, help="All dead ones of events since then: 30m, 12h, 7d.")
@click.option("--delivered", is_flag=True, help="With --since: also those that were accepted.")
@json_option
@handle_errors
def resend(
    deliveries: Sequence[str],
    *,
    endpoint_id: str | None,
    since: float | None,
    delivered: bool,
    as_json: bool,
) -> None:
    """Send deliveries again: those with these IDs, or those of an endpoint since a time.

    Messages keep their ids, by which receivers know what they have.
    """
    from worker.cli.deliveries.wakes import wake_notifier
    from worker.cli.endpoints.store import find_endpoint, open_endpoints
    from worker.notifications.history import Histories

    if bool(deliveries) is (endpoint_id is not None and since is not None):
        raise CliError("Give the ids of deliveries, or --endpoint ID with --since AGE.")
    endpoints = open_endpoints()
    histories = Histories(endpoints.redis, endpoints, clock=endpoints.clock)
    if deliveries:
        for each in deliveries:
            _resend(histories, each)
        sent = len(deliveries)
    else:
        assert endpoint_id is not None
        assert since is not None
        endpoint = find_endpoint(endpoints, endpoint_id)
        if not endpoint.enabled:
            raise CliError(f"Endpoint {endpoint.id} is disabled: enable it first.")
        sent, _ = histories.resend_since(endpoint, since, delivered=delivered)
    wake_notifier()
    if as_json:
        print_json({"resent": sent})
    else:
        click.echo(f"{counted(sent, 'message')} will be sent again.")


def _resend(histories: "Histories", text: str) -> None:
    from worker.notifications.history import parse_id

    parsed = parse_id(text)
    found = histories.get(*parsed) if parsed else None
    if found is None:
        raise CliError(f"Delivery {text} does not exist; `falhook deliveries` lists them.")
    done = histories.resend(found)
    if done == "disabled":
        raise CliError(f"Endpoint {found.endpoint} is disabled: enable it first.")
