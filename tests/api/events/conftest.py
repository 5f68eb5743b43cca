"""Events of jobs on a real Redis."""

from collections.abc import Callable

import pytest

from webhook.shards import shard_of
from worker.jobs.change import Change
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore

# Appends events with these names to a job's stream.
Happen = Callable[..., None]


@pytest.fixture
def happen(records: JobStore) -> Happen:
    """A function that appends events to a job, which it creates first, or moves it."""
    known: set[str] = set()

    def happen(
        *names: str, job: str = "job1", tenant: str = "", to: JobState | None = None
    ) -> None:
        whose = {"tenant": tenant} if tenant else {}
        if job not in known:
            known.add(job)
            created = Job(id=job, endpoint="fal-ai/x", arguments={})
            records.add(created, due=0, event={"name": "created", **whose})
        for name in names:
            assert records.change(job, JobState, Change(event={"name": name, **whose}))
        if to is not None:
            moved = Change(to=to, event={"name": "moved", **whose})
            assert records.change(job, JobState, moved)

    return happen


def jobs_of(shard: int, count: int = 1) -> list[str]:
    """Return ids of jobs whose events are in this shard's stream."""
    found = (f"job{number}" for number in range(1_000_000) if shard_of(f"job{number}") == shard)
    return [next(found) for _ in range(count)]
