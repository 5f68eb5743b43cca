"""`falhook endpoints test`: a signed sample, sent from here, and what the endpoint answers."""

import sys

import click

from worker.cli.console import json_option, print_json
from worker.cli.errors import CliError, handle_errors
from worker.text import printable


@click.command("test")
@click.argument("endpoint_id", metavar="ID")
@click.option("--url", help="With keys for jobs: the address to send the sample to.")
@json_option
@handle_errors
def test(endpoint_id: str, *, url: str | None, as_json: bool) -> None:
    """Send a signed sample of type endpoint.test now, once, and show the answer.

    Exit code 1: it was not accepted.
    """
    from worker.cli.endpoints.store import find_endpoint, open_endpoints
    from worker.notifications.sample import send_sample
    from worker.notifications.sender import Sender
    from worker.notifications.signing_keys import UnreadableKeys
    from worker.notifications.target import TargetRules
    from worker.settings.creation import CreationSettings

    endpoints = open_endpoints(with_keys=True)
    endpoint = find_endpoint(endpoints, endpoint_id)
    target = url or endpoint.url
    if not target:
        raise CliError("These keys sign for addresses of jobs: name one with --url.")
    sender = Sender(TargetRules.of(CreationSettings.from_env()))
    try:
        sample = send_sample(endpoint, target, endpoints=endpoints, sender=sender)
    except UnreadableKeys as error:
        raise CliError(f"{error}.") from None
    finally:
        sender.close()
    if as_json:
        print_json(sample)
    else:
        said = f"answered {sample['status']}" if sample["status"] else f"failed: {sample['error']}"
        click.echo(f"{sample['message']}  {said}  after {sample['ms']} ms")
        if sample["answer"]:
            click.echo(printable(str(sample["answer"]), lines=True))
    sys.exit(0 if not sample["error"] else 1)
