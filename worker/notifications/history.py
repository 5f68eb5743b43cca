"""What became of deliveries: their attempts, and what is still to come.

A delivery is named `{endpoint}.{job}.{n}`.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self, cast

from redis import Redis

from worker.jobs.job import Job
from worker.notifications.due_lanes import DueLanes
from worker.notifications.endpoint import Endpoint, endpoint_key
from worker.notifications.endpoints import Endpoints
from worker.notifications.lanes import Lanes, history_name
from worker.notifications.owed_event import OwedEvent
from worker.notifications.signature import message_id

# Deliveries of one page.
PAGE = 100
_READ = 500


class DeliveryState(StrEnum):
    """Where a delivery is."""

    WAITING = "waiting"
    """It is due, now or later."""
    SENDING = "sending"
    """An attempt is under way."""
    DELIVERED = "delivered"
    """The receiver has accepted it."""
    DEAD = "dead"
    """All attempts failed, or the endpoint was disabled. It can be re-sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt: when it began, how long it took, and the status or the class of the error."""

    at: float
    ms: int
    status: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What one endpoint is told of one event. Times are Unix seconds.

    `answer` is the beginning of the last answer, unless that was a success.
    """

    endpoint: str
    event: OwedEvent
    state: DeliveryState
    due_at: float | None = None
    attempts: Sequence[Attempt] = ()
    answer: str = ""

    @property
    def id(self) -> str:
        """Its name."""
        return f"{self.endpoint}.{self.event.subject}.{self.event.n}"

    @classmethod
    def of(cls, endpoint: str, record: Mapping[str, str], **state: object) -> Self:
        """Return the delivery of a history; `state` is what its lane knows better."""
        due = record.get("due", "")
        values = {
            "state": DeliveryState(record["state"]),
            "due_at": float(due) if due and record["state"] == DeliveryState.WAITING else None,
            **state,
        }
        return cls(
            endpoint=endpoint,
            event=OwedEvent.parse(record["line"]),
            attempts=[Attempt(**json.loads(line)) for line in record.get("log", "").splitlines()],
            answer=record.get("answer", ""),
            **values,  # type: ignore[arg-type]
        )

    def data(self) -> dict[str, object]:
        """Return the delivery for JSON."""
        event = self.event
        return {
            "id": self.id,
            "endpoint": self.endpoint,
            "message": message_id(self.endpoint, event.subject, event.n),
            "type": event.type,
            "job": event.job or None,
            "n": event.n,
            "at": float(event.at),
            "state": self.state.value,
            "due_at": self.due_at,
            "attempts": [
                {"at": each.at, "ms": each.ms, "status": each.status, "error": each.error}
                for each in self.attempts
            ],
            "answer": self.answer,
        }


def parse_id(text: str) -> tuple[str, str, int] | None:
    """Return endpoint, subject and number of a delivery's name; None for another text."""
    endpoint, _, rest = text.partition(".")
    subject, _, n = rest.rpartition(".")
    if not (endpoint and subject and n.isascii() and n.isdecimal()):
        return None
    return endpoint, subject, int(n[:9])


class Histories:
    """The deliveries of one Redis, which must decode responses. `clock` is Unix seconds."""

    def __init__(self, redis: Redis, endpoints: Endpoints, *, clock: Callable[[], float]) -> None:
        self._redis = redis
        self._endpoints = endpoints
        self._lanes = Lanes(redis, clock=clock)
        self._due = DueLanes(redis)
        self._clock = clock

    def list(
        self,
        tenant: str | None,
        *,
        endpoint: str = "",
        job: Job | None = None,
        states: Collection[DeliveryState] = (),
        since: float = 0.0,
        limit: int = PAGE,
    ) -> Sequence[Delivery]:
        """Return deliveries of a tenant's endpoints, or of all, the latest event first."""
        found: list[Delivery] = []
        for name in [endpoint] if endpoint else self._names(tenant):
            deliveries = self._of_job(name, job) if job else self._of(name, since, limit, states)
            found += [each for each in deliveries if not states or each.state in states]
        return sorted(found, key=lambda each: float(each.event.at), reverse=True)[:limit]

    def _names(self, tenant: str | None) -> Iterator[str]:
        for endpoint in self._endpoints.list(tenant):
            yield endpoint.id
        for each in [tenant] if tenant else self._endpoints.tenants():
            yield from self._endpoints.addresses(each)

    def get(self, endpoint: str, subject: str, n: int) -> Delivery | None:
        """Return the delivery of an event; None if it is not known, or not any more."""
        record = self._record(endpoint, f"{subject}:{n}")
        found = Delivery.of(endpoint, record) if record else None
        if found is None or found.state is DeliveryState.WAITING:
            waiting = self._waiting(endpoint, self._lines(endpoint, subject, n))
            return next(waiting, found)
        return found

    def _lines(self, endpoint: str, subject: str, n: int) -> Iterator[str]:
        for name in ("lane", "busy"):
            key = endpoint_key(endpoint, name)
            for line, _ in self._redis.zscan_iter(key, f"{subject} {n} *", count=_READ):
                yield str(line)

    def _of_job(self, endpoint: str, job: Job) -> Iterator[Delivery]:
        for n in range(1, job.told + 1):
            if found := self.get(endpoint, job.id, n):
                yield found

    def _of(
        self, endpoint: str, since: float, limit: int, states: Collection[DeliveryState]
    ) -> Iterator[Delivery]:
        """Yield the latest deliveries of an endpoint, those in its lane first."""
        seen = set()
        for delivery in self._waiting(endpoint, self._in_lane(endpoint, limit)):
            if float(delivery.event.at) >= since:
                seen.add(delivery.id)
                yield delivery
        found = 0
        for name in self._logged(endpoint, since):
            record = self._record(endpoint, name)
            if not record:
                continue
            delivery = Delivery.of(endpoint, record)
            if delivery.id not in seen and (not states or delivery.state in states):
                yield delivery
                found += 1
                if found >= limit:
                    return

    def _in_lane(self, endpoint: str, limit: int) -> Iterator[str]:
        for name in ("busy", "lane"):
            yield from cast(
                list[str], self._redis.zrange(endpoint_key(endpoint, name), 0, limit - 1)
            )

    def _logged(self, endpoint: str, since: float) -> Iterator[str]:
        start = 0
        key = endpoint_key(endpoint, "log")
        while names := cast(
            list[str],
            self._redis.zrevrangebyscore(key, "+inf", since, start=start, num=_READ),
        ):
            yield from names
            start += len(names)

    def _waiting(self, endpoint: str, lines: Iterable[str]) -> Iterator[Delivery]:
        for line in lines:
            event = OwedEvent.parse(line)
            busy = self._redis.zscore(endpoint_key(endpoint, "busy"), line)
            due = self._redis.zscore(endpoint_key(endpoint, "lane"), line)
            record = self._record(endpoint, history_name(event)) or {
                "line": line,
                "state": "waiting",
            }
            if busy is not None:
                yield Delivery.of(endpoint, record, state=DeliveryState.SENDING, due_at=None)
            elif due is not None:
                at = float(record["due"]) if record.get("due") else due
                yield Delivery.of(endpoint, record, state=DeliveryState.WAITING, due_at=at)

    def _record(self, endpoint: str, name: str) -> dict[str, str]:
        return cast(dict[str, str], self._redis.hgetall(endpoint_key(endpoint, f"d:{name}")))

    def resend(self, delivery: Delivery) -> str:
        """Have a delivery be sent again now; return `sent`, or why not, as Lanes.resend does."""
        name = history_name(delivery.event)
        done = self._lanes.resend(delivery.endpoint, name, line=delivery.event.line)
        if done == "sent":
            self._due.look_now([delivery.endpoint])
        return done

    def send(self, endpoint: str, event: OwedEvent) -> None:
        """Have the endpoint be told of an event that no job owes it."""
        self._lanes.offer({endpoint: [event]})
        self._due.look_now([endpoint])

    def resend_since(
        self, endpoint: Endpoint, since: float, *, delivered: bool = False
    ) -> tuple[int, int]:
        """Re-send what is dead since that time, or all that has ended.

        Return how many were re-sent, and how many were not.
        """
        wanted = {DeliveryState.DEAD, *([DeliveryState.DELIVERED] if delivered else [])}
        found = self.list(None, endpoint=endpoint.id, states=wanted, since=since, limit=1_000_000)
        # In the order in which they happened.
        done = [self.resend(each) == "sent" for each in reversed(found)]
        return sum(done), len(done) - sum(done)
