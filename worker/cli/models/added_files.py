"""The files that `falhook models add` writes, one for each endpoint."""

import json
from pathlib import Path
from urllib.parse import quote

from worker.cli.errors import CliError

_SUFFIX = ".json"


def file_of(directory: Path, endpoint: str) -> Path:
    """Return the file of this endpoint's description, which no other endpoint shares.

    `a/b` is a--b.json; an id that contains `--` is percent-encoded, RFC 3986.
    """
    plain = "--" not in endpoint
    name = endpoint.replace("/", "--") if plain else quote(endpoint, safe="")
    return directory / f"{name}{_SUFFIX}"


def claim_file(directory: Path, endpoint: str) -> Path:
    """Return the endpoint's file, after moving another endpoint's description out of it.

    Older names did not distinguish `a/b--c` from `a/b/c`: a description in another endpoint's file
    gets its own name and stays in force. Raises CliError for a file with other content.
    """
    file = file_of(directory, endpoint)
    older = directory / f"{endpoint.replace('/', '--')}{_SUFFIX}"
    if older.exists() and (proper := _proper_name(older, endpoint)) != older:
        try:
            older.replace(proper)
        except OSError as error:
            raise CliError(f"{older} cannot be renamed to {proper}: {error.strerror}.") from None
    return file


def _proper_name(older: Path, endpoint: str) -> Path:
    """Return the name that this file must have before the endpoint's file is written."""
    file = file_of(older.parent, endpoint)
    described = list(json.loads(older.read_text(encoding="utf-8")).get("models", {}))
    if described == [endpoint]:
        return file
    if older != file:
        return older
    others = [file_of(older.parent, other) for other in described if other != endpoint]
    if len(described) == len(others) == 1 and not others[0].exists():
        return others[0]
    content = ", ".join(described) or "no endpoint"
    raise CliError(f"{older} contains {content}: move your own entries to a file of another name.")
