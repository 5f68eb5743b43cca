"""Bounds what ended jobs take: their records leave Redis, and old inputs and work files storage."""

import time
from collections.abc import Callable, Iterator, Sequence
from importlib import resources
from typing import cast

from redis import Redis

from webhook.log import get_logger
from webhook.shards import SHARDS, all_keys
from worker.errors import Failure
from worker.jobs.job import FINAL, Job
from worker.jobs.listing import read
from worker.jobs.store import JOBS
from worker.retention.archive import Archive, index_keys
from worker.retention.periods import FOR_EVER, RetentionPeriods
from worker.storage.layout import REFRESHED_AFTER, UPLOADS, WORK, work_prefix

# Seconds between runs, and jobs that one run archives at most.
INTERVAL = 60.0
LIMIT = 1_000
# Seconds that one run takes at most, approximately: others need the worker.
_RUN = 30.0
# The key of a run that empties folders, and the seconds until the next.
_EMPTIED = "falhook:emptied"
_DAY = 86_400

log = get_logger()


class Retention:
    """Archives ended jobs after their period, and deletes files of no job in Redis.

    `clock` is Unix seconds.
    """

    def __init__(
        self,
        *,
        redis: Redis,
        archive: Archive,
        periods: RetentionPeriods,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.archive = archive
        self._redis = redis
        self._periods = periods
        self._clock = clock
        script = resources.files("worker.retention").joinpath("forget.lua").read_text()
        self._forget = redis.register_script(script)

    def run(self) -> int:
        """Archive jobs that ended long enough ago, the earliest first; return how many.

        Once a day it deletes inputs and work files that are older than any job in Redis.
        """
        ends = time.monotonic() + _RUN
        archived = 0
        try:
            for job in read(self._redis, self._ended()):
                archived += self._move(job)
                if time.monotonic() > ends:
                    break
            deleted = self._empty()
        except Failure as failure:
            log.warning("retention.waits", reason=failure.reason)
            return archived
        if archived or deleted:
            log.info("retention.done", jobs=archived, files=deleted)
        return archived

    def _ended(self) -> Sequence[str]:
        """Return ids of jobs whose period is over: of each shard and state the earliest."""
        now = self._clock()
        with self._redis.pipeline(transaction=False) as calls:
            for state in FINAL:
                until = now - self._periods.seconds[state]
                for key in all_keys(f"{JOBS}:{state}"):
                    calls.zrangebyscore(key, 0, max(until, 0), start=0, num=-(-LIMIT // SHARDS))
            answers = cast(list[list[str]], calls.execute())
        return [job_id for answer in answers for job_id in answer][:LIMIT]

    def _move(self, job: Job) -> bool:
        if job.state not in FINAL:
            return False
        lines = self.archive.put(job, now=self._clock())
        self.archive.storage().delete(work_prefix(job.id))
        return bool(self._forget(keys=index_keys(job), args=[job.id, job.state, lines]))

    def _empty(self) -> int:
        """Delete inputs and work files that no record in Redis can need."""
        if self._periods.longest == FOR_EVER:
            return 0
        if not self._redis.set(_EMPTIED, f"{self._clock():.0f}", nx=True, ex=_DAY):
            return 0
        return sum(1 for _ in self._deleted(self._clock() - unneeded_after(self._periods)))

    def _deleted(self, before: float) -> Iterator[str]:
        storage = self.archive.storage()
        for prefix in (UPLOADS, WORK):
            for found in storage.objects(prefix):
                if found.modified < before:
                    storage.delete(found.key)
                    yield found.key


def unneeded_after(periods: RetentionPeriods) -> float:
    """Return the age in seconds at which a file of `uploads/` or `work/` is needed by no job.

    An input is as old as the last job that refers to it, but for REFRESHED_AFTER, and that job may
    have been retried at the end of its period.
    """
    return 2 * periods.longest + REFRESHED_AFTER + 2 * _DAY
