"""What a store has of its jobs: the list, the counts and the histories."""

from collections.abc import Sequence

from worker.jobs.change import Event
from worker.jobs.history import history
from worker.jobs.job import Job, JobState
from worker.jobs.listing import count, newest
from worker.jobs.store import JobStore


def jobs_of(store: JobStore, *, state: JobState | None = None) -> list[Job]:
    """Return the jobs, or those in this state, the newest first."""
    return list(newest(store.redis, state=state))


def count_of(store: JobStore, state: JobState) -> int:
    """Return how many jobs are in this state."""
    return count(store.redis, [state])[state]


def history_of(store: JobStore, job_id: str) -> Sequence[Event]:
    """Return the events of the job, the oldest first; none without a record."""
    job = store.get(job_id)
    return history(job) if job else ()
