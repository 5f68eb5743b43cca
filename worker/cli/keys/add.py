"""`falhook keys add`: a new key of the HTTP API, whose token is shown once."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from worker.api_keys.scopes import USUAL, Scope
from worker.cli.console import clock_text, json_option, print_json
from worker.cli.errors import CliError, handle_errors
from worker.cli.job_filters import tenant_option
from worker.jobs.tenant import DEFAULT

if TYPE_CHECKING:
    from worker.api_keys.api_key import ApiKey
    from worker.api_keys.store import ApiKeys

_UNITS = {"m": 60, "h": 3_600, "d": 86_400}


class Lifetime(click.ParamType[float]):
    """A duration such as 90d, in seconds."""

    name = "DURATION"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return seconds; fail with an example for text that is not a duration."""
        match = re.fullmatch(r"([1-9][0-9]{0,5})([mhd])", str(value).strip().lower(), re.ASCII)
        if match is None:
            self.fail(f"{value!r} is not a duration: write 30m, 12h or 90d", param, ctx)
        return float(int(match[1]) * _UNITS[match[2]])


@click.command()
@click.argument("name")
@tenant_option("The tenant for whom the key acts; it sees no other's jobs.", DEFAULT)
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What the key allows, once or more; by default all but endpoints, scale and admin.",
)
@click.option("--expires", type=Lifetime(), help="When it ends by itself: 30m, 12h, 90d.")
@click.option("--replace", is_flag=True, help="Then revoke the tenant's other keys of this name.")
@json_option
@handle_errors
def add(
    name: str,
    *,
    tenant: str,
    scopes: Sequence[str],
    expires: float | None,
    replace: bool,
    as_json: bool,
) -> None:
    """Make a key for whom NAME says, and print its token, which nothing shows again.

    Whoever has the token can pay for jobs: hand it over like a password. Only the token is printed
    on standard output.
    """
    from webhook.settings.settings import Secrets
    from worker.api_keys.api_key import InvalidKey
    from worker.api_keys.store import ApiKeys
    from worker.jobs.store import connect

    settings = Secrets.from_env()
    keys = ApiKeys(connect(settings.redis_url), settings.secrets)
    chosen = frozenset(map(Scope, scopes)) or USUAL
    expires_at = None if expires is None else keys.clock() + expires
    try:
        key, token = keys.add(name, tenant=tenant, scopes=chosen, expires_at=expires_at)
    except InvalidKey as error:
        raise CliError(str(error)) from None
    revoked = _revoke_others(keys, key) if replace else []
    if as_json:
        print_json({**key.data(), "token": token.text, "revoked": revoked})
        return
    click.echo(token.text)
    click.echo(_note(key, revoked), err=True)


def _revoke_others(keys: "ApiKeys", new: "ApiKey") -> list[str]:
    others = [
        key.id
        for key in keys.list(new.tenant)
        if key.name == new.name and key.id != new.id and key.revoked_at is None
    ]
    return [key_id for key_id in others if keys.revoke(key_id)]


def _note(key: "ApiKey", revoked: Sequence[str]) -> str:
    scopes = ", ".join(key.scope_names)
    end = "" if key.expires_at is None else f", until {clock_text(key.expires_at)} UTC"
    gone = f" Revoked: {', '.join(revoked)}." if revoked else ""
    return (
        f"This is the key {key.id} of tenant {key.tenant}, for {scopes}{end}. It is not shown "
        f"again.{gone}"
    )
