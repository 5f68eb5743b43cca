"""Which endpoints there are, in one hash that every process reads at once.

falhook:{notify}:endpoints  hash: endpoint → JSON, what decides whether it is told of an event
falhook:{notify}:used       there has been an endpoint: only then the sweep looks for owed events

The record of an endpoint is the truth. It is written before its entry here is taken away, and after
the entry is made.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Self, cast

from redis import Redis

from worker.jobs.job import Job
from worker.notifications.endpoint import Endpoint, Kind
from worker.notifications.event_types import ENDS, states_of

ROUTES = "falhook:{notify}:endpoints"
USED = "falhook:{notify}:used"
# Seconds for which a process that creates jobs believes what it has read.
BELIEVED = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """An enabled endpoint, as far as choosing it needs."""

    endpoint: str
    tenant: str
    kind: Kind
    events: frozenset[str]

    @classmethod
    def of(cls, endpoint: Endpoint) -> Self:
        """Return the route to an endpoint."""
        return cls(
            endpoint=endpoint.id,
            tenant=endpoint.tenant,
            kind=endpoint.kind,
            events=frozenset(endpoint.events),
        )

    def encode(self) -> str:
        """Return the route as its entry has it."""
        return json.dumps([self.tenant, self.kind, sorted(self.events)])

    @classmethod
    def decode(cls, endpoint: str, text: str) -> Self:
        """Return the route that `encode` wrote."""
        tenant, kind, events = json.loads(text)
        return cls(endpoint=endpoint, tenant=tenant, kind=Kind(kind), events=frozenset(events))


class Routes:
    """All routes at one moment."""

    def __init__(self, routes: Mapping[str, Route]) -> None:
        self._routes = routes

    @classmethod
    def read(cls, redis: Redis) -> Self:
        """Return the routes as they are now."""
        found = cast(dict[str, str], redis.hgetall(ROUTES))
        return cls({name: Route.decode(name, text) for name, text in found.items()})

    def to(self, tenant: str) -> Iterator[Route]:
        """Yield the standing endpoints of a tenant."""
        for route in self._routes.values():
            if route.tenant == tenant and route.kind is Kind.STANDING:
                yield route

    def for_jobs(self, tenant: str) -> Route | None:
        """Return the endpoint whose keys sign for addresses of jobs; None if there is none."""
        mine = (each for each in self._routes.values() if each.tenant == tenant)
        return next((each for each in mine if each.kind is Kind.JOBS), None)

    def owed(self, job: Job) -> str:
        """Return the states of which the job's receivers are told, as its record has them."""
        events = {kind for route in self.to(job.tenant) for kind in route.events}
        if job.notify:
            jobs = self.for_jobs(job.tenant)
            events |= jobs.events if jobs else {*ENDS}
        return " ".join(states_of(events))


class KnownRoutes:
    """Routes that were read a moment ago, so that creating a job need not ask; safe for threads."""

    def __init__(self, redis: Redis, clock: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis
        self._clock = clock
        self._lock = threading.Lock()
        self._until = 0.0
        self._routes = Routes({})

    @property
    def is_known(self) -> bool:
        """Whether `now` answers without asking Redis."""
        return self._clock() < self._until

    def now(self) -> Routes:
        """Return the routes, at most BELIEVED seconds old."""
        with self._lock:
            if self._clock() >= self._until:
                # Counted from before the read, so that they are never older than they seem.
                asked = self._clock()
                self._routes = Routes.read(self._redis)
                self._until = asked + BELIEVED
            return self._routes
