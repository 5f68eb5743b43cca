"""Endpoints that were read a moment ago, with their keys: one may have many attempts a second."""

import threading
import time
from collections.abc import Callable, Sequence

from worker.notifications.endpoint import Endpoint
from worker.notifications.endpoints import Endpoints
from worker.notifications.signing_keys import SigningKeys

# Seconds for which they are believed, and how many are kept.
BELIEVED = 1.0
_MOST = 1_000


class KnownEndpoints:
    """Reads endpoints, each at most once a second; safe to share between threads."""

    def __init__(self, endpoints: Endpoints, clock: Callable[[], float] = time.monotonic) -> None:
        self._endpoints = endpoints
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, Endpoint | None]] = {}
        self._keys: dict[str, tuple[float, Sequence[SigningKeys]]] = {}

    def get(self, endpoint: str) -> Endpoint | None:
        """Return the endpoint; None if it was removed."""
        now = self._clock()
        with self._lock:
            until, known = self._known.get(endpoint, (0.0, None))
        if now < until:
            return known
        found = self.read(endpoint)
        with self._lock:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[endpoint] = (now + BELIEVED, found)
        return found

    def read(self, endpoint: str) -> Endpoint | None:
        """Return the endpoint as it is now."""
        return self._endpoints.get(endpoint)

    def keys(self, endpoint: Endpoint) -> Sequence[SigningKeys]:
        """Return the keys that sign for the endpoint. Raises UnreadableKeys."""
        now = self._clock()
        with self._lock:
            until, known = self._keys.get(endpoint.id, (0.0, ()))
        if now < until:
            return known
        opened = self._endpoints.signing_keys(endpoint)
        with self._lock:
            if len(self._keys) >= _MOST:
                self._keys.clear()
            self._keys[endpoint.id] = (now + BELIEVED, opened)
        return opened
