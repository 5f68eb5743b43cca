"""The lanes of the endpoints: what each is told next, what is under way, and what came of it.

Redis keys, which have the hash tag of the endpoint:

falhook:{ep:ID}:endpoint  hash: the fields of Endpoint, and how its lane goes
falhook:{ep:ID}:lane      sorted set: event → when it is due (in an ordered lane: when it happened)
falhook:{ep:ID}:busy      sorted set: event → end of the lease of the worker that sends it
falhook:{ep:ID}:d:JOB:N   hash: the history of a delivery, once it has been tried or has ended
falhook:{ep:ID}:log       sorted set: JOB:N of these → when the event happened
falhook:{ep:ID}:dead      sorted set: JOB:N of those that are dead → when they died
"""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis

from webhook.redis.replicas import Argument
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
from worker.notifications.scripts import Call, Script
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
        self._offer, self._claim, self._finish, self._bury, self._resend = (
            Script(redis, name) for name in ("offer", "claim", "finish", "bury", "resend")
        )

    def offer(self, events: Mapping[str, Sequence[OwedEvent]]) -> None:
        """Put events into the lanes of these endpoints, each once."""
        now, names = repr(self.clock()), ("endpoint", "lane", "busy", "d:")
        self._offer(
            [
                (_keys(endpoint, *names), [now, *(each.line for each in some)])
                for endpoint, some in events.items()
            ]
        )

    def claim(self, most: Mapping[str, int]) -> Mapping[str, Claims]:
        """Lease events that are due, at most so many of each endpoint."""
        now = self.clock()
        lease = now + self._lease
        limits: list[Argument] = [repr(lease), PARALLEL, BREAKER, PROBE]
        names = ("endpoint", "lane", "busy", "d:")
        answers = self._claim(
            [(_keys(each, *names), [repr(now), count, *limits]) for each, count in most.items()]
        )
        found = zip(most, answers, strict=True)
        return {each: _claims(each, answer, lease) for each, answer in found}

    def finish(self, outcomes: Sequence["Outcome"]) -> Sequence["Finished"]:
        """Note what came of attempts; return what follows from each."""
        now = self.clock()
        followed = [_follows(each, now=now, rng=self._rng) for each in outcomes]
        calls = [_note(*each, now=now) for each in zip(outcomes, followed, strict=True)]
        return [
            Finished(
                state=follows.state,
                due=follows.due,
                lost=noted == "lost",
                disabled=noted == "disabled",
            )
            for follows, noted in zip(followed, self._finish(calls), strict=True)
        ]

    def bury(self, endpoint: str) -> int:
        """End what waits for an endpoint that is not enabled; return how many are left."""
        keys = _keys(endpoint, "endpoint", "lane", "log", "d:", "dead")
        args: list[Argument] = [repr(self.clock()), BURIED, int(DEAD_KEPT)]
        [left] = self._bury([(keys, args)])
        return int(left)

    def resend(self, endpoint: str, name: str, *, line: str = "") -> str:
        """Have a delivery sent again now; return `sent`, or why not.

        `line` is its event, if it has no history yet.
        """
        keys = _keys(endpoint, "endpoint", "lane", "busy", f"d:{name}", "dead")
        args: list[Argument] = [repr(self.clock()), int(_WAITING_KEPT), line, name]
        [done] = self._resend([(keys, args)])
        return str(done)

    def waiting(self, endpoint: str) -> int:
        """Return how many events wait or are under way."""
        lane, busy = _keys(endpoint, "lane", "busy")
        return self._redis.zcard(lane) + self._redis.zcard(busy)


def _claims(endpoint: str, answer: Sequence[Any], lease: float) -> Claims:
    state, again, more, *rest = answer
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of an attempt that began then; `disables`: a 410 is about the whole endpoint."""

    claimed: Claimed
    answer: Answer
    began: float
    disables: bool = True


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


def _note(outcome: Outcome, follows: _Follows, *, now: float) -> Call:
    """Return the call of finish.lua."""
    claimed, answer = outcome.claimed, outcome.answer
    event = claimed.event
    attempt = {
        "at": round(outcome.began, 3),
        "ms": round(answer.seconds * 1000),
        "status": answer.status,
        "error": error_class(answer),
    }
    order = {
        "line": event.line,
        "name": history_name(event),
        "now": repr(now),
        "lease": claimed.lease,
        "state": follows.state,
        "tries": str(claimed.tries + 1),
        "attempt": json.dumps(attempt),
        "answer": "" if follows.state == "delivered" else printable(answer.text, lines=True),
        "keep": str(int(_KEPT[follows.state])),
        "given_up_after": GIVEN_UP_AFTER,
        **({"due": repr(follows.due)} if follows.due is not None else {}),
        **({"hold": repr(follows.due)} if follows.hold else {}),
        **({"disable": follows.disable} if follows.disable and outcome.disables else {}),
    }
    history = f"d:{history_name(event)}"
    keys = _keys(claimed.endpoint, "endpoint", "lane", "busy", history, "log", "dead")
    return keys, [json.dumps(order), LISTED]


def _follows(outcome: Outcome, *, now: float, rng: random.Random) -> _Follows:
    """Return what follows from an answer: 2xx is success, 410 the end, all else is repeated."""
    claimed, answer = outcome.claimed, outcome.answer
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
