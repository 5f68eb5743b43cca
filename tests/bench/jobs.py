"""The job records of a run's callbacks, and counts of those that were ingested."""

import time
from collections.abc import Mapping
from typing import cast

from redis import Redis

from tests.bench.load import LoadPlan, job_ids
from tests.bench.programs import BenchFailed
from tests.bench.worker_notes import STARTED
from tests.factories.listed import count_of
from worker.jobs.change import Change
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore, connect

ENDPOINT = "fal-ai/kling-video/v2.1/master/text-to-video"
PATIENCE = 30.0  # seconds without progress: the worker has stalled


class Ledger:
    """The jobs in one Redis, and counts of accepted and of ingested callbacks."""

    def __init__(self, redis_url: str) -> None:
        self.redis = Redis.from_url(redis_url)
        self.records = JobStore(connect(redis_url))
        self.accepted = 0
        self.ingested = 0

    def close(self) -> None:
        """Close the connections."""
        self.redis.close()
        self.records.redis.close()

    def add(self, plan: LoadPlan) -> None:
        """Write records of all jobs of this plan: submitted once, without a callback."""
        due = time.time() + 3_600
        for job_id in job_ids(plan):
            job = Job(id=job_id, endpoint=ENDPOINT, arguments={}, state=JobState.SUBMITTED)
            self.records.add(job, due=due, event={"name": "created"})
            self.records.change(job_id, JobState, Change(set={"attempt": 1}))

    def ingest(self) -> None:
        """Count ingested callbacks until all accepted ones are, or until the worker stalls."""
        moved_at = time.monotonic()
        while self.ingested < self.accepted:
            time.sleep(0.1)
            now = count_of(self.records, JobState.RENDERED)
            if now > self.ingested:
                self.ingested, moved_at = now, time.monotonic()
            if time.monotonic() - moved_at > PATIENCE:
                return

    def waits_ms(self, answered_at: Mapping[str, float]) -> list[float]:
        """Return the milliseconds from each answer to the start of the ingest task that it woke.

        Raises BenchFailed if a callback was not ingested.
        """
        starts = cast(list[bytes | None], self.redis.hmget(STARTED, list(answered_at)))
        if None in starts:
            raise BenchFailed(f"{starts.count(None)} callbacks were not ingested")
        return [
            (float(began) - at) * 1000
            for began, at in zip(starts, answered_at.values(), strict=True)
            if began is not None
        ]
