"""From an owed event to the lanes of its receivers; it may be repeated, and die anywhere."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from redis import Redis

from worker.jobs.job import Job
from worker.jobs.listing import read
from worker.notifications.due_lanes import DueLanes
from worker.notifications.endpoint import Endpoint
from worker.notifications.endpoints import Endpoints
from worker.notifications.lanes import Lanes
from worker.notifications.outbox import READ, Outbox
from worker.notifications.owed_event import OwedEvent
from worker.notifications.routes import Routes


@dataclass(frozen=True, slots=True, kw_only=True)
class FanOut:
    """Puts owed events into lanes. `archived` returns the job of an id that Redis has no more."""

    redis: Redis
    outbox: Outbox
    lanes: Lanes
    due: DueLanes
    endpoints: Endpoints
    archived: Callable[[str], Job | None]

    def run(self, shards: Iterable[int]) -> set[int]:
        """Put what is owed in these shards into lanes; return the shards that may have more."""
        read_now = self.outbox.read(shards)
        if not read_now:
            return set()
        jobs = self._jobs(event.job for events in read_now.values() for event in events)
        # Read after the events: an endpoint is there before the first event that it is owed.
        routes = Routes.read(self.redis)
        lanes: dict[str, list[OwedEvent]] = {}
        for events in read_now.values():
            for event in events:
                for endpoint in self._receivers(event, jobs.get(event.job), routes):
                    lanes.setdefault(endpoint, []).append(event)
        self.lanes.offer(lanes)
        self.due.look_now(lanes)
        self.outbox.settle(read_now)
        return {shard for shard, events in read_now.items() if len(events) >= READ}

    def _jobs(self, ids: Iterable[str]) -> Mapping[str, Job]:
        wanted = list(dict.fromkeys(ids))
        found = {job.id: job for job in read(self.redis, wanted)}
        for job_id in wanted:
            if job_id not in found and (job := self.archived(job_id)):
                found[job_id] = job
        return found

    def _receivers(self, event: OwedEvent, job: Job | None, routes: Routes) -> Iterator[str]:
        if job is None:
            return
        for route in routes.to(job.tenant):
            if event.type in route.events:
                yield route.endpoint
        signs = routes.for_jobs(job.tenant) if job.notify else None
        if signs and event.type in signs.events:
            address = self.endpoints.address(job.tenant, job.notify, since=job.created_at)
            if address is not None:
                yield address.id

    def disabled(self, endpoint: Endpoint, times: int, at: float) -> None:
        """Tell the tenant's other endpoints that this one was disabled, for the n-th time."""
        event = OwedEvent.disabled(endpoint.id, times, at)
        routes = Routes.read(self.redis)
        others = [r.endpoint for r in routes.to(endpoint.tenant) if r.endpoint != endpoint.id]
        self.lanes.offer({other: [event] for other in others})
        self.due.look_now(others)
