"""The files that `falhook models add` writes: each endpoint has one of its own."""

import json
from pathlib import Path
from urllib.parse import quote

from worker.cli.errors import CliError

_ENDING = ".json"


def file_of(directory: Path, endpoint: str) -> Path:
    """Where the description of this endpoint lies, and of no other one.

    `a/b` is a--b.json; an id that holds `--` itself is percent-encoded, RFC 3986.
    """
    plain = "--" not in endpoint
    name = endpoint.replace("/", "--") if plain else quote(endpoint, safe="")
    return directory / f"{name}{_ENDING}"


def make_room(directory: Path, endpoint: str) -> Path:
    """The endpoint's file, once no other endpoint's description lies there.

    Such names did not always tell `a/b--c` from `a/b/c`: a description that lies where another
    endpoint's belongs gets its own name, and stays in force. Raises Problem for a file that
    somebody put something else into.
    """
    file = file_of(directory, endpoint)
    older = directory / f"{endpoint.replace('/', '--')}{_ENDING}"
    if older.exists() and (proper := _proper(older, endpoint)) != older:
        try:
            older.replace(proper)
        except OSError as error:
            raise CliError(f"{older} cannot be renamed to {proper}: {error.strerror}.") from None
    return file


def _proper(older: Path, endpoint: str) -> Path:
    """The name that this file should have when the endpoint's is to be written."""
    file = file_of(older.parent, endpoint)
    held = list(json.loads(older.read_text(encoding="utf-8")).get("models", {}))
    if held == [endpoint]:
        return file
    if older != file:
        return older
    others = [file_of(older.parent, one) for one in held if one != endpoint]
    if len(held) == len(others) == 1 and not others[0].exists():
        return others[0]
    holds = ", ".join(held) or "no endpoint"
    raise CliError(f"{older} holds {holds}: move what is yours into a file of another name.")
