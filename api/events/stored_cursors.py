"""Cursors that Redis keeps under a name, for clients that fetch events when they like.

falhook:cursors:TENANT   hash: name → JSON: cursor, acknowledged (Unix seconds)

A client reads from its cursor as often as it likes, and acknowledges what it has handled.
"""

import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from redis import Redis

from api.events.entries import kept, oldest
from api.events.positions import Cursor, Positions

MOST = 100
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)

# KEYS: the tenant's hash. ARGV: name, the value that it must have ("": none), the new one, MOST.
# Returns 1 if it was stored, 0 if the value is another one, -1 if there are too many.
_STORE = """
local present = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if present ~= ARGV[2] then return 0 end
if present == '' and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[4]) then return -1 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
"""


class TooManyCursors(Exception):
    """The tenant has as many cursors as it may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCursor:
    """A cursor by its name; `acknowledged` is when it last moved, in Unix seconds."""

    name: str
    positions: Positions
    acknowledged: float


class StoredCursors:
    """The named cursors of all tenants, at most MOST for each. `clock` is Unix seconds.

    All methods raise ValueError for a name that is not one, and redis.RedisError.
    """

    def __init__(self, redis: Redis, *, clock: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._clock = clock
        self._store = cast(Any, redis.register_script(_STORE))

    def get(self, tenant: str, name: str) -> StoredCursor:
        """Return the cursor; a new one is stored at the oldest event that is kept.

        Raises TooManyCursors.
        """
        text = self._read(tenant, name)
        while not text:
            first = self._encoded(oldest(kept(self._redis)))
            text = first if self._replace(tenant, name, "", first) else self._read(tenant, name)
        return _decoded(name, text)

    def acknowledge(
        self, tenant: str, name: str, cursor: Cursor, *, reset: bool = False
    ) -> StoredCursor:
        """Move the cursor forward to what `cursor` has read, and return it.

        No stream is moved back, so that acknowledgements may arrive late or twice; with `reset` the
        cursor is set to what is given. Raises TooManyCursors.
        """
        # Each turn that fails is one in which another reader succeeded.
        while True:
            old = self._read(tenant, name)
            known = None if reset or not old else _decoded(name, old).positions
            new = self._encoded(known.joined(cursor.positions) if known else cursor.positions)
            if self._replace(tenant, name, old, new):
                return _decoded(name, new)

    def listed(self, tenant: str) -> Sequence[StoredCursor]:
        """Return the tenant's cursors by name."""
        stored = cast(dict[str, str], self._redis.hgetall(_key(tenant)))
        return [_decoded(name, stored[name]) for name in sorted(stored)]

    def delete(self, tenant: str, name: str) -> bool:
        """Forget the cursor; return whether there was one."""
        return bool(self._redis.hdel(_key(tenant), _checked(name)))

    def _read(self, tenant: str, name: str) -> str:
        return cast(str | None, self._redis.hget(_key(tenant), _checked(name))) or ""

    def _replace(self, tenant: str, name: str, old: str, new: str) -> bool:
        stored = self._store(keys=[_key(tenant)], args=[name, old, new, MOST])
        if stored < 0:
            raise TooManyCursors(f"there are {MOST} cursors already: delete one that is not used")
        return bool(stored)

    def _encoded(self, positions: Positions) -> str:
        return json.dumps({"cursor": positions.encode(), "acknowledged": self._clock()})


def _key(tenant: str) -> str:
    return f"falhook:cursors:{tenant}"


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name[:80]!r} is not a name of a cursor: use up to 64 letters, digits, . _ and -, "
            "beginning with a letter or digit"
        )
    return name


def _decoded(name: str, text: str) -> StoredCursor:
    stored = json.loads(text)
    return StoredCursor(
        name=name,
        positions=Positions.decode(stored["cursor"]),
        acknowledged=stored["acknowledged"],
    )
