"""Sessions of people who signed in with an API key; each lasts as long as its key, at most 12 h.

Redis keys, which have the hash tag of the API keys:

falhook:{keys}:session:HASH  the id of the key; HASH is the sha256 of the cookie
falhook:{keys}:link:HASH     the same for a link that signs in once
"""

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from redis import Redis

from worker.api_keys.api_key import ApiKey
from worker.api_keys.scopes import Scope, allows
from worker.api_keys.store import ApiKeys

# Seconds for which a session and a link last.
LASTS = 12 * 3600
LINK_LASTS = 12 * 3600
# Seconds for which an answer counts: a session whose key is revoked ends within a second.
_COUNTS = 0.75
_MOST = 1_024


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A person who is signed in. `csrf` proves that a form is one of ours."""

    key: ApiKey
    csrf: str

    def may(self, scope: Scope) -> bool:
        """Return whether the session's key has the scope."""
        return allows(self.key.scopes, scope)

    @property
    def role(self) -> str:
        """What the person may do, in a word."""
        if Scope.ADMIN in self.key.scopes:
            return "admin"
        return "operator" if self.may(Scope.ACT) else "viewer"


class Sessions:
    """The sessions of one Redis; safe to share between threads. `clock` is monotonic seconds."""

    def __init__(
        self, redis: Redis, keys: ApiKeys, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._clock = clock
        self._lock = threading.Lock()
        self._found: OrderedDict[str, tuple[float, Session | None]] = OrderedDict()

    def open(self, key: ApiKey) -> str:
        """Return the cookie of a new session."""
        token = secrets.token_urlsafe(32)
        self._redis.set(_name("session", token), key.id, ex=LASTS)
        self._keys.note_use(key)
        return token

    def find(self, token: str) -> Session | None:
        """Return the session of a cookie; None if it has ended, or its key is not valid."""
        now = self._clock()
        with self._lock:
            until, session = self._found.get(token, (0.0, None))
            if now < until:
                return session
        session = self._read(token)
        with self._lock:
            self._found[token] = (now + _COUNTS, session)
            self._found.move_to_end(token)
            while len(self._found) > _MOST:
                self._found.popitem(last=False)
        return session

    def close(self, token: str) -> None:
        """End the session: its cookie is worth nothing from now on."""
        self._redis.delete(_name("session", token))
        with self._lock:
            self._found.pop(token, None)

    def add_link(self, key: ApiKey) -> str:
        """Return a code that opens one session of the key."""
        code = secrets.token_urlsafe(24)
        self._redis.set(_name("link", code), key.id, ex=LINK_LASTS)
        return code

    def use_link(self, code: str) -> ApiKey | None:
        """Return the key of a code, which counts once; None if it is not valid."""
        key_id = cast(str | None, self._redis.getdel(_name("link", code)))
        return self._valid(key_id) if key_id else None

    def _read(self, token: str) -> Session | None:
        key_id = cast(str | None, self._redis.get(_name("session", token)))
        key = self._valid(key_id) if key_id else None
        if key is None:
            return None
        return Session(key=key, csrf=_hashed(f"falhook form\n{token}"))

    def _valid(self, key_id: str) -> ApiKey | None:
        key = self._keys.get(key_id)
        usable = key is not None and key.state(self._keys.clock()) == "valid"
        return key if usable else None


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()


def _name(kind: str, token: str) -> str:
    return f"falhook:{{keys}}:{kind}:{_hashed(token)}"
