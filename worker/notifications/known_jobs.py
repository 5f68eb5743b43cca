"""Jobs that were read a moment ago: each has several receivers, which are told at the same time."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping

from redis import Redis

from worker.jobs.job import Job
from worker.jobs.listing import read
from worker.notifications.owed_event import OwedEvent

# Seconds for which a record is believed, and how many are kept.
BELIEVED = 5.0
_KEPT = 512


class KnownJobs:
    """Reads the jobs of events, many in one round trip; for one thread.

    A record that has counted an event has all that its message needs, whatever happened since.
    """

    def __init__(self, redis: Redis, clock: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, Job]] = OrderedDict()

    def of(self, events: Iterable[OwedEvent]) -> Mapping[str, Job]:
        """Return the jobs of these events, those that have a record, by their ids."""
        now = self._clock()
        newest: dict[str, int] = {}
        for event in events:
            if event.job:
                newest[event.job] = max(event.n, newest.get(event.job, 0))
        found = {job: known for job, n in newest.items() if (known := self._believed(job, n, now))}
        for job in read(self._redis, [job for job in newest if job not in found]):
            found[job.id] = job
            self._known[job.id] = (now + BELIEVED, job)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return found

    def _believed(self, job_id: str, n: int, now: float) -> Job | None:
        until, job = self._known.get(job_id, (0.0, None))
        if job is not None and now < until and job.told >= n:
            return job
        self._known.pop(job_id, None)
        return None
