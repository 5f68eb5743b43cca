"""The group `falhook keys`; its commands are imported when they run."""

import click

from worker.cli.lazy_group import Lazy, LazyGroup

COMMANDS = {
    "add": Lazy("worker.cli.keys.add", "add", "Make a key, and show its token once."),
    "list": Lazy("worker.cli.keys.list_keys", "list_keys", "List keys, without their tokens."),
    "revoke": Lazy("worker.cli.keys.revoke", "revoke", "Have keys refused from now on."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def keys() -> None:
    """Make, list and revoke keys of the HTTP API.

    \b
    falhook keys add web-shop --expires 90d     makes a key that ends by itself
    falhook keys add metrics --scope jobs:read  makes one that only reads
    falhook keys revoke ID                      ends one at once
    """
