"""The job records behind the callbacks of a run, and what became of them."""

import time
from collections.abc import Mapping
from typing import cast

from redis import Redis

from tests.bench.load import LoadPlan, job_ids
from tests.bench.programs import BenchFailed
from tests.bench.worker_notes import STARTED
from worker.jobs.change import Change
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore, connect

ENDPOINT = "fal-ai/kling-video/v2.1/master/text-to-video"
# Without progress for this long the worker has stalled; seconds.
PATIENCE = 30.0


class Ledger:
    """One Redis: jobs that wait for their callback, and how many callbacks were accepted."""

    def __init__(self, redis_url: str) -> None:
        self.redis = Redis.from_url(redis_url)
        self.records = JobStore(connect(redis_url))
        self.accepted = 0
        self.ingested = 0

    def close(self) -> None:
        """Let go of Redis."""
        self.redis.close()
        self.records.redis.close()

    def add(self, plan: LoadPlan) -> None:
        """Records of all jobs of this plan: submitted once, callback not here yet."""
        due = time.time() + 3_600
        for job_id in job_ids(plan):
            job = Job(id=job_id, endpoint=ENDPOINT, arguments={}, state=JobState.SUBMITTED)
            self.records.add(job, due=due, event={"name": "created"})
            self.records.change(job_id, JobState, Change(set={"attempt": 1}))

    def ingest(self) -> None:
        """Wait until the worker has brought every accepted callback to its record.

        Raises BenchFailed where it stops before.
        """
        moved_at = time.monotonic()
        while self.ingested < self.accepted:
            time.sleep(0.1)
            now = self.records.count(JobState.RENDERED)
            if now > self.ingested:
                self.ingested, moved_at = now, time.monotonic()
            if time.monotonic() - moved_at > PATIENCE:
                return

    def waits_ms(self, answered_at: Mapping[str, float]) -> list[float]:
        """Milliseconds from each answer to the start of the ingest task that it woke."""
        found = cast(list[bytes | None], self.redis.hmget(STARTED, list(answered_at)))
        if None in found:
            raise BenchFailed(f"{found.count(None)} lone callbacks were not ingested")
        return [
            (float(began) - at) * 1000
            for began, at in zip(found, answered_at.values(), strict=True)
            if began is not None
        ]
