"""The server that wrote a data directory: its product and version, in a file beside the data.

A newer server converts the append-only file to its own format. An older one does not read that
format: at best it refuses, at worst it starts empty, and the jobs seem never to have been.
"""

import json
import re
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from infra.local.redis.binary import RedisNotStarted

RECORD = "server.json"
_VERSION = re.compile(r"(Redis|Valkey) server v=(\d+)\.(\d+)\.(\d+)")
# From this version on the append-only file is a directory of several files:
# https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/
_MANY_FILES = "appendonlydir"
_MANY_FILES_SINCE = (7, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerVersion:
    """A server program: its product, its version and its path."""

    product: str
    version: tuple[int, int, int]
    program: str

    @classmethod
    def of(cls, program: Path) -> Self:
        """Return the version of a program. Raise RedisNotStarted if it is not a server."""
        command = (str(program), "--version")
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RedisNotStarted(f"{program} cannot be run: {error}.") from error
        match = _VERSION.search(done.stdout)
        if match is None:
            raise RedisNotStarted(f"{program} is neither a Redis nor a Valkey server.")
        major, minor, patch = map(int, match.groups()[1:])
        return cls(product=match[1], version=(major, minor, patch), program=str(program))

    def __str__(self) -> str:
        return f"{self.product} {'.'.join(map(str, self.version))}"

    def reads(self, other: Self) -> bool:
        """Return whether this server reads the data that the other one wrote."""
        return self.product == other.product and self.version >= other.version


def writer_of(directory: Path) -> ServerVersion | None:
    """Return the server that wrote the data in `directory`; None if there is none or no record."""
    try:
        record = json.loads((directory / RECORD).read_text())
        return ServerVersion(**{**record, "version": tuple(record["version"])})
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise RedisNotStarted(
            f"{directory / RECORD} cannot be read ({error}); delete it."
        ) from error


def require_readable(directory: Path, server: ServerVersion) -> None:
    """Return if `server` reads the data in `directory`; raise RedisNotStarted otherwise."""
    writer = writer_of(directory)
    if writer is None:
        if server.version >= _MANY_FILES_SINCE or not (directory / _MANY_FILES).is_dir():
            return
        wrote = "version 7 or newer"
    elif server.reads(writer):
        return
    else:
        wrote = str(writer)
    raise RedisNotStarted(
        f"The data in {directory} was written by {wrote}. {server.program} is {server} and cannot "
        f"read it: it would start empty. Put redis-server of {wrote} on PATH again, or move "
        f"{directory} away to start empty."
    )


def record_writer(directory: Path, server: ServerVersion) -> None:
    """Write down that `server` writes the data in `directory` from now on."""
    draft = directory / f"{RECORD}.new"
    draft.write_text(json.dumps(asdict(server)))
    draft.replace(directory / RECORD)
