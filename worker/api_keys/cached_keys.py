"""Keys that were found a moment ago, so that a request need not ask Redis who sends it."""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from worker.api_keys.api_key import ApiKey
from worker.api_keys.store import ApiKeys
from worker.api_keys.token import Token

# Seconds for which an answer counts: a revoked key is refused everywhere within a second.
SECONDS = 0.75
# Answers that are kept, those about unknown tokens too.
MOST = 4_096


class CachedKeys:
    """Finds keys as ApiKeys does, asking it about each token once in SECONDS; safe for threads.

    A token that is not valid is remembered too, so that a client that repeats it is no load.
    `clock` is monotonic seconds.
    """

    def __init__(
        self,
        keys: ApiKeys,
        *,
        clock: Callable[[], float] = time.monotonic,
        most: int = MOST,
    ) -> None:
        self._keys = keys
        self._clock = clock
        self._most = most
        self._lock = threading.Lock()
        # By a hash of the token, the least recently used first: until when it counts, and the key.
        self._found: OrderedDict[bytes, tuple[float, ApiKey | None]] = OrderedDict()

    def known(self, text: str) -> tuple[bool, ApiKey | None]:
        """Return whether an answer still counts, and that answer; it never waits for Redis."""
        with self._lock:
            until, key = self._found.get(_name(text), (0.0, None))
        return (True, key) if self._clock() < until else (False, None)

    def find(self, text: str) -> ApiKey | None:
        """Return the valid key with this token, and note its use; None for any other."""
        if Token.parse(text) is None:
            return None
        name = _name(text)
        # Taken before Redis is asked, so that the answer is never older than it seems.
        now = self._clock()
        with self._lock:
            until, key = self._found.get(name, (0.0, None))
            if now < until:
                self._found.move_to_end(name)
                return key
        key = self._keys.find(text)
        with self._lock:
            self._found[name] = (now + SECONDS, key)
            self._found.move_to_end(name)
            while len(self._found) > self._most:
                self._found.popitem(last=False)
        if key is not None:
            self._keys.note_use(key)
        return key


def _name(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="backslashreplace")).digest()
