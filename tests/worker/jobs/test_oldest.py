"""The age of the job that has waited longest."""

from tests.factories.world import ENDPOINT, ManualClock
from worker.jobs.job import Job, JobState
from worker.jobs.oldest import oldest
from worker.jobs.store import JobStore

S = JobState


def test_the_oldest_of_each_state_and_tenant(records: JobStore, clock: ManualClock) -> None:
    """Every tenant has its own, also the default one, whose jobs are among all."""
    began = clock()
    for number, tenant in enumerate(["acme", "default", "default", "acme"]):
        job = Job(id=f"job-{number}", endpoint=ENDPOINT, arguments={}, tenant=tenant)
        assert records.add(job, due=0, event={"name": "created"})
        clock.forward(10)
    states = [S.QUEUED, S.SUBMITTED]
    assert {S.QUEUED: began} == oldest(records.redis, states, "acme")
    assert {S.QUEUED: began + 10} == oldest(records.redis, states, "default")
    assert {} == oldest(records.redis, states, "nobody")
