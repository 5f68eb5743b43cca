"""Counters of events by kind: in total, per request and per callback address."""

import asyncio
import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable
from enum import StrEnum
from urllib.parse import parse_qsl, urlsplit, urlunsplit


class Kind(StrEnum):
    """The kinds of events to count and to wait for."""

    SUBMIT_POSTS = "submit_posts"  # a POST to a queue endpoint, accepted or not
    SUBMIT = "submit"  # a job was accepted
    SUBMIT_REFUSED = "submit_refused"  # a POST that did not create a job
    STATUS = "status"
    RESULT = "result"
    CANCEL = "cancel"
    JWKS = "jwks"
    PRICING = "pricing"  # a request for prices
    CDN = "cdn"  # a request for a file
    RENDER = "render"  # a render ended, in success or failure
    CALLBACKS = "callbacks"  # a delivery of a callback started
    CALLBACK_ANSWERED = "callback_answered"  # a delivery got an HTTP response
    CALLBACK_ACCEPTED = "callback_accepted"  # a delivery got a 2xx
    CALLBACK_REFUSED = "callback_refused"  # a delivery got another status
    CALLBACK_UNANSWERED = "callback_unanswered"  # a delivery got no response
    CALLBACK_ABANDONED = "callback_abandoned"  # there will be no further delivery
    CALLBACK_HELD = "callback_held"  # a callback is waiting for its release
    OTHER = "other"  # a request for an unknown path


_WITHOUT_JOB = {Kind.SUBMIT_POSTS, Kind.SUBMIT_REFUSED, Kind.JWKS, Kind.PRICING, Kind.OTHER}
PER_REQUEST = tuple(kind for kind in Kind if kind not in _WITHOUT_JOB)
"""The kinds that concern one accepted job."""


class Counts:
    """The counters, to read or to wait for, since the last `clear`."""

    def __init__(self) -> None:
        self._waiters: list[tuple[Callable[[], bool], asyncio.Event]] = []
        self.clear()

    def clear(self) -> None:
        """Set every counter to zero."""
        self.total: Counter[Kind] = Counter()
        self.requests: defaultdict[str, Counter[Kind]] = defaultdict(Counter)
        self.webhooks: defaultdict[str, Counter[Kind]] = defaultdict(Counter)

    def record(self, kind: Kind, *, request_id: str = "", webhook: str = "") -> None:
        """Count one event of `kind` and wake the tasks that wait for it."""
        self.total[kind] += 1
        if request_id:
            self.requests[request_id][kind] += 1
        if webhook:
            self.webhooks[redacted(webhook)][kind] += 1
        self.wake_waiters()

    def wake_waiters(self) -> None:
        """Wake every waiter whose condition is true."""
        for condition, wake in self._waiters:
            if condition():
                wake.set()

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Return as soon as `condition()` is true; it is checked after every event."""
        waiter = (condition, asyncio.Event())
        if condition():
            return
        self._waiters.append(waiter)
        try:
            await waiter[1].wait()
        finally:
            self._waiters.remove(waiter)

    def count(self, kind: Kind, request_id: str = "") -> int:
        """Return the number of events of `kind`, in total or for one request."""
        if request_id:
            return self.requests[request_id][kind] if request_id in self.requests else 0
        return self.total[kind]


def redacted(webhook: str) -> str:
    """Return the address without its secrets.

    The last path segment becomes ``-`` and user information is removed. Values in the query become
    short digests, so the addresses of different jobs stay different.
    """
    parts = urlsplit(webhook)
    path, slash, _ = parts.path.rpartition("/")
    query = "&".join(f"{name}=~{_digest(value)}" for name, value in parse_qsl(parts.query))
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, f"{path}{slash}-" if slash else "", query, ""))


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:8]
