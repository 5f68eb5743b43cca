"""The lanes of the endpoints: what each is told next, what is under way, and what came of it.

Redis keys, which have the hash tag of the endpoint:

falhook:{ep:ID}:endpoint  hash: the fields of Endpoint, and how its lane goes
falhook:{ep:ID}:lane      sorted set: event → when it is due (in an ordered lane: when it happened)
falhook:{ep:ID}:busy      sorted set: event → end of the lease of the worker that sends it
falhook:{ep:ID}:d:JOB:N   hash: the history of a delivery, once it has been tried or has ended
falhook:{ep:ID}:log       sorted set: JOB:N of these → when the event happened
"""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import cast

from redis import Redis

from worker.notifications.endpoint import PARALLEL, State, endpoint_key
from worker.notifications.owed_event import OwedEvent
from worker.notifications.schedule import (
    BREAKER,
    DAY,
    DEAD_KEPT,
    DELIVERED_KEPT,
    GIVEN_UP_AFTER,
    PROBE,
    retry_after,
    wait_after,
)
from worker.notifications.sender import Answer
from worker.text import printable

# Seconds: longer than an attempt takes, so that no other worker repeats it.
LEASE = 25.0
_FULL = 2
# Histories listed for an endpoint, and events that one call buries.
LISTED, BURIED = 10_000, 500
_WAITING_KEPT = DEAD_KEPT + 10 * DAY
_HOLDING = frozenset({429, 503})
_GONE, _OK, _REDIRECT, _ERROR = 410, 200, 300, 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """An event to send now; `tries` are its attempts before, `lease` the end of its lease."""

    endpoint: str
    event: OwedEvent
    tries: int
    lease: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a look at a lane gave; `again` is when to look next, None for never.

    `more`: there is more that is due now. `full`: that has to wait for an attempt to end.
    """

    state: State
    again: float | None
    more: bool
    full: bool
    claimed: Sequence[Claimed]


class Lanes:
    """The lanes of one Redis, which must decode responses; safe to share between threads."""

    def __init__(
        self,
        redis: Redis,
        *,
        clock: Callable[[], float],
        rng: random.Random | None = None,
        lease: float = LEASE,
    ) -> None:
        self._lease = lease
        self._redis = redis
        self.clock = clock
        self._rng = rng or random.Random()  # noqa: S311  # jitter, not a secret
        folder = resources.files("worker.notifications")
        names = ("offer", "claim", "finish", "bury", "resend")
        texts = {name: folder.joinpath(f"{name}.lua").read_text() for name in names}
        self._scripts = {name: redis.register_script(text) for name, text in texts.items()}

    def offer(self, endpoint: str, events: Sequence[OwedEvent]) -> bool:
        """Put events into the lane, each once; return whether the endpoint is enabled."""
        keys = _keys(endpoint, "endpoint", "lane", "busy", "d:")
        lines = [event.line for event in events]
        return bool(self._scripts["offer"](keys=keys, args=[repr(self.clock()), *lines]))

    def claim(self, endpoint: str, most: int) -> Claims:
        """Lease at most so many events that are due."""
        now = self.clock()
        lease = now + self._lease
        state, again, more, *rest = self._scripts["claim"](
            keys=_keys(endpoint, "endpoint", "lane", "busy", "d:"),
            args=[repr(now), most, repr(lease), PARALLEL, BREAKER, PROBE],
        )
        claimed = [
            Claimed(endpoint=endpoint, event=OwedEvent.parse(line), tries=int(tries), lease=lease)
            for line, tries in zip(*[iter(rest)] * 2, strict=True)
        ]
        return Claims(
            state=State(state),
            again=float(again) if again else None,
            more=more == 1,
            full=more == _FULL,
            claimed=claimed,
        )

    def finish(
        self, claimed: Claimed, answer: Answer, *, began: float, disables: bool = True
    ) -> "Finished":
        """Note what came of an attempt that began then; return what follows from it.

        `disables`: a 410 is about the whole endpoint.
        """
        now = self.clock()
        followed = _follows(claimed, answer, now=now, rng=self._rng)
        event = claimed.event
        attempt = {
            "at": round(began, 3),
            "ms": round(answer.seconds * 1000),
            "status": answer.status,
            "error": error_class(answer),
        }
        order = {
            "line": event.line,
            "name": history_name(event),
            "now": repr(now),
            "lease": claimed.lease,
            "state": followed.state,
            "tries": str(claimed.tries + 1),
            "attempt": json.dumps(attempt),
            "answer": "" if followed.state == "delivered" else printable(answer.text, lines=True),
            "keep": str(int(_KEPT[followed.state])),
            "given_up_after": GIVEN_UP_AFTER,
            **({"due": repr(followed.due)} if followed.due is not None else {}),
            **({"hold": repr(followed.due)} if followed.hold else {}),
            **({"disable": followed.disable} if followed.disable and disables else {}),
        }
        history = f"d:{history_name(event)}"
        keys = _keys(claimed.endpoint, "endpoint", "lane", "busy", history, "log")
        answered = self._scripts["finish"](keys=keys, args=[json.dumps(order), LISTED])
        return Finished(
            state=followed.state,
            due=followed.due,
            lost=answered == "lost",
            disabled=answered == "disabled",
        )

    def bury(self, endpoint: str) -> int:
        """End what waits for an endpoint that is not enabled; return how many are left."""
        keys = _keys(endpoint, "endpoint", "lane", "log", "d:")
        args: list[str | int | float] = [repr(self.clock()), BURIED, int(DEAD_KEPT)]
        return int(self._scripts["bury"](keys=keys, args=args))

    def resend(self, endpoint: str, name: str, *, line: str = "") -> str:
        """Have a delivery sent again now; return `sent`, or why not.

        `line` is its event, if it has no history yet.
        """
        keys = _keys(endpoint, "endpoint", "lane", "busy", f"d:{name}")
        args: list[str | int | float] = [repr(self.clock()), int(_WAITING_KEPT), line]
        return cast(str, self._scripts["resend"](keys=keys, args=args))

    def waiting(self, endpoint: str) -> int:
        """Return how many events wait or are under way."""
        lane, busy = _keys(endpoint, "lane", "busy")
        return self._redis.zcard(lane) + self._redis.zcard(busy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What followed from an attempt."""

    state: str
    due: float | None
    lost: bool
    disabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Follows:
    state: str
    due: float | None = None
    hold: bool = False
    disable: str = ""


_KEPT = {"delivered": DELIVERED_KEPT, "dead": DEAD_KEPT, "waiting": _WAITING_KEPT}


def _follows(claimed: Claimed, answer: Answer, *, now: float, rng: random.Random) -> _Follows:
    """Return what follows from an answer: 2xx is success, 410 the end, all else is repeated."""
    if _OK <= answer.status < _REDIRECT:
        return _Follows(state="delivered")
    disable = "gone" if answer.status == _GONE else ""
    wait = wait_after(claimed.tries + 1, rng)
    if disable or wait is None:
        return _Follows(state="dead", disable=disable)
    asked = retry_after(answer.retry_after, now=now) if answer.status in _HOLDING else None
    if asked is not None:
        return _Follows(state="waiting", due=now + max(asked, 1.0), hold=True)
    return _Follows(state="waiting", due=now + wait)


def error_class(answer: Answer) -> str:
    """Return the class of what went wrong; empty for a success."""
    if answer.error:
        return answer.error
    if answer.status < _OK or _REDIRECT <= answer.status < _ERROR:
        return "redirect" if answer.status >= _REDIRECT else "protocol"
    if answer.status < _REDIRECT:
        return ""
    return "gone" if answer.status == _GONE else "refused"


def history_name(event: OwedEvent) -> str:
    """Return the name of the history of an event's delivery."""
    return f"{event.subject}:{event.n}"


def _keys(endpoint: str, *names: str) -> Sequence[str]:
    return [endpoint_key(endpoint, name) for name in names]
