"""The server that wrote a data directory: its product and version, in a file beside the data.

A newer server converts the append-only file to its own format. An older one does not read that
format: at best it refuses, at worst it starts empty, and the jobs seem never to have been. So a
server starts only on data that it reads, and what it is about to convert is copied first.
"""

import json
import re
import shutil
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from infra.local.redis.binary import RedisNotStarted, find_binary
from infra.local.supervisor.restart_policy import describe_exit

RECORD = "server.json"
_TRIES = 3
_VERSION_SECONDS = 10.0
_VERSION = re.compile(r"(Redis|Valkey) server v=(\d+)\.(\d+)\.(\d+)")
# Up to Redis 6 the append-only file is one file, from 7 on a directory of several files:
# https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/
_ONE_FILE = "appendonly.aof"
_MANY_FILES = "appendonlydir"
_MANY_FILES_SINCE = (7, 0, 0)
# Valkey descends from Redis 7.2 and does not read what later ones write:
# https://valkey.io/topics/migration/
_READABLE_BY_VALKEY = (7, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerVersion:
    """A server program: its product, its version and its path."""

    product: str
    version: tuple[int, int, int]
    program: str

    @classmethod
    def of(cls, program: Path) -> Self:
        """Return the version of a program. Raise RedisNotStarted if it does not tell one."""
        match = _VERSION.search(_version_text(program))
        if match is None:
            raise RedisNotStarted(f"{program} is neither a Redis nor a Valkey server.")
        major, minor, patch = map(int, match.groups()[1:])
        return cls(product=match[1], version=(major, minor, patch), program=str(program))

    def __str__(self) -> str:
        return f"{self.product} {'.'.join(map(str, self.version))}"

    def is_same_as(self, other: Self) -> bool:
        """Return whether both are the same product and version, wherever their programs are."""
        return (self.product, self.version) == (other.product, other.version)

    def reads(self, other: Self) -> bool:
        """Return whether this server reads the data that the other one wrote."""
        if self.product == other.product:
            return self.version >= other.version
        return self.product == "Valkey" and other.version[:2] <= _READABLE_BY_VALKEY


def _version_text(program: Path) -> str:
    """Return what the program prints for --version. A run that is killed is repeated."""
    for _ in range(_TRIES):
        try:
            done = subprocess.run(
                (str(program), "--version"),
                capture_output=True,
                text=True,
                check=False,
                timeout=_VERSION_SECONDS,
            )
        except subprocess.TimeoutExpired:
            why = f"gave no answer in {_VERSION_SECONDS:g} s"
        except OSError as error:
            raise RedisNotStarted(f"{program} cannot be run: {error.strerror}.") from error
        else:
            if done.returncode >= 0:
                return done.stdout
            why = describe_exit(done.returncode)
    raise RedisNotStarted(
        f"{program} --version {why}, {_TRIES} times. The program is not to blame: try again "
        "when the machine has memory and time."
    )


def claim_data(directory: Path, binary: Path | None) -> Path:
    """Return the program that may start on the data in `directory`; it is on record afterwards.

    That is `binary`, by default the one of `find_binary`, if it reads the data; if another server
    wrote them, a copy for that one is kept in `directory`. Otherwise it is the program that wrote
    them, if it is still there. Raise RedisNotStarted if it is not.
    """
    server = ServerVersion.of(binary or find_binary())
    writer = _writer_of(directory)
    if writer is None:
        _require_known_format(directory, server)
    elif not server.reads(writer):
        server = _writer_itself(directory, writer, server)
    if writer is None or not server.is_same_as(writer):
        _keep_copy(directory, server)
    _record(directory, server)
    return Path(server.program)


def _writer_of(directory: Path) -> ServerVersion | None:
    """Return the server that wrote the data in `directory`; None if there is no record."""
    try:
        record = json.loads((directory / RECORD).read_text())
        return ServerVersion(**{**record, "version": tuple(record["version"])})
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise RedisNotStarted(
            f"{directory / RECORD} cannot be read ({error}); delete it."
        ) from error


def _require_known_format(directory: Path, server: ServerVersion) -> None:
    """Raise RedisNotStarted if data without a record have a format that `server` cannot know."""
    if server.version < _MANY_FILES_SINCE and (directory / _MANY_FILES).is_dir():
        cure = "Put valkey-server or redis-server of version 7 or newer on PATH"
        raise RedisNotStarted(_refusal(directory, "version 7 or newer", server, cure))


def _writer_itself(directory: Path, writer: ServerVersion, server: ServerVersion) -> ServerVersion:
    program = Path(writer.program)
    if program.is_file() and ServerVersion.of(program) == writer:
        return writer
    cure = f"Install {writer} as {program} again"
    raise RedisNotStarted(_refusal(directory, str(writer), server, cure))


def _refusal(directory: Path, wrote: str, server: ServerVersion, cure: str) -> str:
    return (
        f"The data in {directory} was written by {wrote}. {server.program} is {server} and cannot "
        f"read it: it would start empty. {cure}, or move {directory} away to start empty."
    )


def _keep_copy(directory: Path, server: ServerVersion) -> None:
    """Copy the data and their record into a new directory before `server` converts them."""
    present = [path for name in (_ONE_FILE, _MANY_FILES) if (path := directory / name).exists()]
    if not present:
        return
    prefix = f"before-{server.product}-{'.'.join(map(str, server.version))}-"
    copy = Path(tempfile.mkdtemp(prefix=prefix, dir=directory))
    try:
        for path in (*present, directory / RECORD):
            if path.is_dir():
                shutil.copytree(path, copy / path.name)
            elif path.exists():
                shutil.copy2(path, copy)
    except OSError as error:
        shutil.rmtree(copy, ignore_errors=True)
        raise RedisNotStarted(
            f"The data in {directory} cannot be copied before {server} converts them "
            f"({error}). Correct that, or move {directory} away to start empty."
        ) from error


def _record(directory: Path, server: ServerVersion) -> None:
    """Write down that `server` writes the data in `directory` from now on."""
    draft = directory / f"{RECORD}.new"
    draft.write_text(json.dumps(asdict(server)))
    draft.replace(directory / RECORD)
