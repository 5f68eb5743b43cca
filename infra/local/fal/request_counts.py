"""What happened, counted by kind: in all, for each request, and for each callback address."""

import asyncio
import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable
from enum import StrEnum
from urllib.parse import parse_qsl, urlsplit, urlunsplit


class Kind(StrEnum):
    """The kinds that are counted, and that one can wait for."""

    SUBMIT_POSTS = "submit_posts"  # every POST to a queue endpoint, whatever became of it
    SUBMIT = "submit"  # a job was accepted
    SUBMIT_REFUSED = "submit_refused"  # a POST that made no job
    STATUS = "status"
    RESULT = "result"
    CANCEL = "cancel"
    JWKS = "jwks"
    CDN = "cdn"  # a request for a file
    RENDER = "render"  # a render ended, well or badly
    CALLBACKS = "callbacks"  # a try to deliver a callback began
    CALLBACK_ANSWERED = "callback_answered"  # a try got any HTTP answer
    CALLBACK_ACCEPTED = "callback_accepted"  # a try got a 2xx
    CALLBACK_REFUSED = "callback_refused"  # a try got another answer
    CALLBACK_UNANSWERED = "callback_unanswered"  # a try met silence or no server
    CALLBACK_ABANDONED = "callback_abandoned"  # no further try will be made
    CALLBACK_HELD = "callback_held"  # a callback waits to be released
    OTHER = "other"  # a request to an address that fal does not have


_OF_NO_JOB = {Kind.SUBMIT_POSTS, Kind.SUBMIT_REFUSED, Kind.JWKS, Kind.OTHER}
PER_REQUEST = tuple(kind for kind in Kind if kind not in _OF_NO_JOB)
"""The kinds that are about one accepted job."""


class Counts:
    """Counters that can be read and waited for; they live as long as the process."""

    def __init__(self) -> None:
        self._waiters: list[tuple[Callable[[], bool], asyncio.Event]] = []
        self.clear()

    def clear(self) -> None:
        """Set every counter to zero."""
        self.total: Counter[Kind] = Counter()
        self.requests: defaultdict[str, Counter[Kind]] = defaultdict(Counter)
        self.webhooks: defaultdict[str, Counter[Kind]] = defaultdict(Counter)

    def note(self, kind: Kind, *, request_id: str = "", webhook: str = "") -> None:
        """Count one event of `kind` and wake whoever waits for it."""
        self.total[kind] += 1
        if request_id:
            self.requests[request_id][kind] += 1
        if webhook:
            self.webhooks[redacted(webhook)][kind] += 1
        self.look_again()

    def look_again(self) -> None:
        """Wake every waiter whose condition holds by now."""
        for seen, wake in self._waiters:
            if seen():
                wake.set()

    async def until(self, seen: Callable[[], bool]) -> None:
        """Return as soon as `seen()`, which is asked again after every event, is true."""
        waiter = (seen, asyncio.Event())
        if seen():
            return
        self._waiters.append(waiter)
        try:
            await waiter[1].wait()
        finally:
            self._waiters.remove(waiter)

    def count(self, kind: Kind, request_id: str = "") -> int:
        """Return how many events of `kind` there were, in all or for one request."""
        if request_id:
            return self.requests[request_id][kind] if request_id in self.requests else 0
        return self.total[kind]


def redacted(webhook: str) -> str:
    """Return the address without what may be secret in it.

    The last path segment and any user information become ``-``; a value in the query becomes a
    short digest, so that the addresses of different jobs stay apart.
    """
    parts = urlsplit(webhook)
    path, slash, _ = parts.path.rpartition("/")
    query = "&".join(f"{name}=~{_digest(value)}" for name, value in parse_qsl(parts.query))
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, f"{path}{slash}-" if slash else "", query, ""))


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:8]
