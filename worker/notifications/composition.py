"""The notifier and its parts, built once from the settings of a process."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from redis import Redis

from webhook.contract import Task
from worker.jobs.job import Job
from worker.jobs.store import JobStore
from worker.notifications.attempts import Attempts
from worker.notifications.closing import Closing
from worker.notifications.due_lanes import GUARD, DueLanes
from worker.notifications.endpoints import Endpoints
from worker.notifications.fan_out import FanOut
from worker.notifications.known_endpoints import KnownEndpoints
from worker.notifications.known_jobs import KnownJobs
from worker.notifications.lanes import LEASE, Lanes
from worker.notifications.new_receivers import NewReceivers
from worker.notifications.notifier import Notifier
from worker.notifications.outbox import Outbox
from worker.notifications.overdue import OverdueNotifications
from worker.notifications.published_files import PublishedFiles
from worker.notifications.sender import Answer, Sender
from worker.notifications.target import TargetRules, TargetSettings
from worker.storage import Storage


class NotificationSettings(TargetSettings, Protocol):
    """The settings of a process that sends messages."""

    @property
    def secrets(self) -> tuple[str, ...]: ...
    @property
    def api_public_url(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Notifications:
    """What one process needs to send messages, or to see that others do."""

    redis: Redis
    settings: NotificationSettings
    store: JobStore
    archived: Callable[[str], Job | None]
    storage: Callable[[], Storage]
    # Seconds: see Lanes and DueLanes.
    lease: float = LEASE
    # See Attempts.
    told: Callable[[Job, str, int, float, Answer], object] = lambda *_: None
    guard: float = GUARD

    @cached_property
    def lanes(self) -> Lanes:
        """The lanes of all endpoints."""
        return Lanes(self.redis, clock=self.store.clock, lease=self.lease)

    @cached_property
    def endpoints(self) -> Endpoints:
        """The endpoints of all tenants."""
        rules = TargetRules.of(self.settings)
        clock = self.store.clock
        return Endpoints(self.redis, self.settings.secrets, rules=rules, clock=clock)

    def notifier(self, go_on: Callable[[], object] = lambda: None) -> Notifier:
        """Return what serves the lanes; it calls `go_on` in each of its rounds."""
        due = DueLanes(self.redis, guard=self.guard)
        fan_out = FanOut(
            redis=self.redis,
            outbox=Outbox(self.redis),
            lanes=self.lanes,
            due=due,
            endpoints=self.endpoints,
            archived=self.archived,
        )
        return Notifier(
            fan_out=fan_out,
            lanes=self.lanes,
            due=due,
            new=NewReceivers(self.redis, self.store.clock),
            closing=Closing(
                redis=self.redis, lanes=self.lanes, endpoints=self.endpoints, fan_out=fan_out
            ),
            attempts=self.attempts(due),
            jobs=KnownJobs(self.redis),
            go_on=go_on,
        )

    def attempts(self, due: DueLanes) -> Attempts:
        """Return what makes the attempts."""
        return Attempts(
            lanes=self.lanes,
            due=due,
            endpoints=KnownEndpoints(self.endpoints),
            sender=Sender(TargetRules.of(self.settings)),
            archived=self.archived,
            files=PublishedFiles(self.storage),
            links=self.settings.api_public_url,
            told=self.told,
        )

    def overdue(self, wake: Callable[[Task, object], object]) -> OverdueNotifications:
        """Return what finds what lost messages have left behind."""
        return OverdueNotifications(
            redis=self.redis,
            outbox=Outbox(self.redis),
            due=DueLanes(self.redis),
            new=NewReceivers(self.redis, self.store.clock),
            wake=wake,
            clock=self.store.clock,
        )
