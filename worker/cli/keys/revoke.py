"""`falhook keys revoke`: keys that are refused from now on."""

import click

from worker.api_keys.token import PREFIX, Token
from worker.cli.completion.keys import complete_keys
from worker.cli.console import json_option, print_json
from worker.cli.errors import CliError, handle_errors


@click.command()
@click.argument("keys", nargs=-1, required=True, metavar="ID...", shell_complete=complete_keys)
@json_option
@handle_errors
def revoke(*, keys: tuple[str, ...], as_json: bool) -> None:
    """Revoke the keys with these IDs: every process refuses them within a second.

    A token that was found somewhere may stand for its id. Jobs of the key go on.
    """
    from worker.cli.keys.store import open_keys

    store = open_keys()
    names = {key_id: store.get(key_id) for key_id in map(_id_of, keys)}
    if unknown := [key_id for key_id, key in names.items() if key is None]:
        raise CliError(f"Key {unknown[0]} does not exist; `falhook keys list` shows all.")
    for key_id in names:
        store.revoke(key_id)
    if as_json:
        print_json({"revoked": list(names)})
        return
    for key in names.values():
        assert key is not None
        click.echo(f"{key.id} ({key.name}, tenant {key.tenant}) is revoked.")


def _id_of(text: str) -> str:
    """Return the id that is meant, from which no error can show a token."""
    if token := Token.parse(text):
        return token.id
    if text.startswith(PREFIX):
        raise CliError(
            "This token is incomplete or mistyped. Give the id of the key, its first 8 letters "
            "after fhk_; `falhook keys list` shows all."
        )
    return text
