"""Endpoints, jobs and a notifier on a real Redis, which tell real receivers."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

from redis import Redis

from tests.factories.world import ENDPOINT, SECRET
from webhook.contract import Task
from worker.jobs.change import Change
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore, connect
from worker.notifications.composition import Notifications
from worker.notifications.due_lanes import DUE
from worker.notifications.endpoint import Endpoint
from worker.notifications.endpoints import Endpoints
from worker.notifications.history import Delivery, Histories
from worker.notifications.notifier import Notifier
from worker.notifications.outbox import Bell
from worker.notifications.overdue import OverdueNotifications
from worker.notifications.routes import Routes
from worker.notifications.signing_keys import SigningKeys
from worker.storage import Storage

S = JobState
# The way of a job that fails at once, and of one that is published.
FAILED = (S.FAILED,)
PUBLISHED = (S.SUBMITTING, S.SUBMITTED, S.RENDERED, S.DOWNLOADED, S.TAGGED, S.PUBLISHED)


@dataclass(frozen=True, slots=True)
class LoopbackSettings:
    """The settings of a notifier of the local stack."""

    secrets: tuple[str, ...] = (SECRET,)
    notify_http: bool = False
    notify_loopback: bool = True
    api_public_url: str = "https://api.example.com"


def no_storage() -> Storage:
    """Fail: these jobs have no files."""
    raise AssertionError("the storage is not needed")


@dataclass(frozen=True, kw_only=True)
class Told:
    """A deployment as far as it tells receivers; messages of the bell are counted, or sent."""

    redis: Redis
    clock: Callable[[], float]
    settings: LoopbackSettings = field(default_factory=LoopbackSettings)
    storage: Callable[[], Storage] = no_storage
    wakes: list[str] = field(default_factory=list)
    wake: Callable[[Task, object], object] | None = None

    @cached_property
    def store(self) -> JobStore:
        """The records."""
        count = lambda _task, _argument: self.wakes.append("notify")  # noqa: E731
        bell = Bell(self.redis, self.wake or count)
        return JobStore(self.redis, clock=self.clock, owed=bell)

    @cached_property
    def notifications(self) -> Notifications:
        """The parts."""
        return Notifications(
            redis=self.redis,
            settings=self.settings,
            store=self.store,
            archived=lambda _job_id: None,
            storage=self.storage,
        )

    @property
    def endpoints(self) -> Endpoints:
        """The store of endpoints."""
        return self.notifications.endpoints

    @cached_property
    def notifier(self) -> Notifier:
        """The notifier of one process; it waits for nothing, as a clock of a test stands still."""
        notifier = self.notifications.notifier()
        notifier.soon = 0.0
        return notifier

    @cached_property
    def histories(self) -> Histories:
        """What became of deliveries."""
        return Histories(self.redis, self.endpoints, clock=self.clock)

    @property
    def overdue(self) -> OverdueNotifications:
        """What the sweep does."""
        return self.notifications.overdue(lambda _task, _argument: self.wakes.append("sweep"))

    def add(
        self, url: str, tenant: str = "default", **wishes: object
    ) -> tuple[Endpoint, SigningKeys]:
        """Add an endpoint."""
        return self.endpoints.add(tenant, url, **wishes)  # type: ignore[arg-type]

    def create(self, job_id: str, **fields: object) -> Job:
        """Create a job, as JobCreator does."""
        values = {"endpoint": ENDPOINT, "arguments": {"prompt": "A secret fox"}, **fields}
        job = Job(id=job_id, **values)  # type: ignore[arg-type]
        owes = Routes.read(self.redis).owed(job)
        job = Job(id=job_id, **{**values, "owes": owes})  # type: ignore[arg-type]
        assert self.store.add(job, due=self.clock() + 60, event={"name": "created"})
        return job

    def move(self, job_id: str, *states: JobState, **values: object) -> None:
        """Take the job from state to state."""
        for state in states:
            job = self.store.get(job_id)
            assert job is not None
            last = state is states[-1]
            event = {"name": "moved", "reason": "fal_422", "sentence": "fal refused it"}
            change = Change(
                to=state, set=values if last else {}, due=0.0 if last else None, event=event
            )
            assert self.store.change(job_id, [job.state], change)

    def fail(self, job_id: str, **fields: object) -> None:
        """Create a job that fails."""
        self.create(job_id, **fields)
        self.move(job_id, *FAILED)

    def deliveries(self, **wanted: str) -> Mapping[str, Delivery]:
        """Return what became of each delivery, by job and number."""
        found = self.histories.list("default", **wanted)  # type: ignore[arg-type]
        return {f"{each.event.subject}.{each.event.n}": each for each in found}

    def due(self) -> Mapping[str, float]:
        """Return when each lane is looked at next."""
        return dict(self.redis.zrange(DUE, 0, -1, withscores=True))  # type: ignore[arg-type]


@contextmanager
def told(
    redis_url: str,
    clock: Callable[[], float],
    settings: LoopbackSettings | None = None,
    wake: Callable[[Task, object], object] | None = None,
) -> Iterator[Told]:
    """Open a deployment on that Redis until the block ends."""
    with connect(redis_url) as redis:
        created = Told(redis=redis, clock=clock, settings=settings or LoopbackSettings(), wake=wake)
        try:
            yield created
        finally:
            created.notifier.close()


def attempts_of(delivery: Delivery) -> list[tuple[int, str]]:
    """Return status and error class of each attempt."""
    return [(attempt.status, attempt.error) for attempt in delivery.attempts]


def size(content: object) -> int:
    """Return the bytes of JSON."""
    return len(json.dumps(content))
