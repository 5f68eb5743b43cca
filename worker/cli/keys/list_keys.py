"""`falhook keys list`: the keys of the HTTP API, a line each."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from worker.cli.console import (
    aligned,
    clock_text,
    is_terminal,
    plain_console,
    print_json,
    print_table,
)
from worker.cli.errors import handle_errors
from worker.cli.job_filters import tenant_option
from worker.cli.stdout import json_lines_option

if TYPE_CHECKING:
    from worker.api_keys.api_key import ApiKey

_HEADINGS = ("id", "name", "tenant", "scopes", "last used (UTC)", "expires (UTC)", "state")


@click.command("list")
@tenant_option("Only keys of this tenant.")
@click.option("--all", "with_revoked", is_flag=True, help="Also keys revoked in the last 30 days.")
@json_lines_option
@handle_errors
def list_keys(*, tenant: str | None, with_revoked: bool, as_json: bool) -> None:
    """List keys, the oldest first, with the minute of their last use.

    Keys that have expired are listed for 30 days more. The tokens are not known to falhook.
    """
    from worker.cli.keys.store import open_keys

    keys = open_keys()
    found = [key for key in keys.list(tenant) if with_revoked or key.revoked_at is None]
    if as_json:
        for key in found:
            print_json({**key.data(), "state": key.state(keys.clock())})
    elif found:
        rows = [_row(key, keys.clock()) for key in found]
        if is_terminal():
            print_table(plain_console(), _HEADINGS, rows)
        else:
            click.echo("\n".join(aligned([_HEADINGS, *rows])))
    elif tenant:
        click.echo(f"No keys of tenant {tenant}.", err=True)
    else:
        click.echo("No keys yet. Make one: falhook keys add NAME", err=True)


def _row(key: "ApiKey", now: float) -> Sequence[str]:
    used, ends = key.last_used_at, key.expires_at
    return (
        key.id,
        key.name,
        key.tenant,
        " ".join(key.scope_names),
        "never" if used is None else clock_text(used)[:-3],
        "never" if ends is None else clock_text(ends),
        key.state(now),
    )
