"""Leases on a real Redis: a running worker keeps its job, even if renewals fail."""

import threading
from collections.abc import Iterator

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.factories.world import ENDPOINT, ManualClock
from worker.jobs import leases
from worker.jobs.change import Change
from worker.jobs.job import Job, JobState
from worker.jobs.leases import LEASE, Leases
from worker.jobs.store import JobStore, connect

S = JobState


class Watched(JobStore):
    """Job records that signal renewals and raise `faults` first."""

    faults: list[Exception]
    renewed: threading.Event

    def change(self, job_id: str, expected: object, change: Change) -> bool:
        """Raise the next fault; without one, renew and signal it."""
        if self.faults:
            raise self.faults.pop(0)
        done = super().change(job_id, expected, change)  # type: ignore[arg-type]
        if done:
            self.renewed.set()
        return done


@pytest.fixture
def records(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """Records with one job in RENDERED, leased by `me`, and frequent renewals."""
    monkeypatch.setattr(leases, "RENEWAL", 0.01)
    with connect(redis_url) as redis:
        watched = Watched(redis, clock=ManualClock())
        watched.faults, watched.renewed = [], threading.Event()
        job = Job(id="job1", endpoint=ENDPOINT, arguments={}, state=S.RENDERED)
        watched.add(job, due=1.0, event={"name": "created"})
        lease = Change(set={"lease_owner": "me", "lease_until": 1.0})
        JobStore.change(watched, "job1", [S.RENDERED], lease)
        yield watched


def current(records: JobStore) -> Job:
    """Return the job's current record."""
    job = records.get("job1")
    assert job is not None
    return job


@pytest.mark.parametrize("faults", [[], [RedisConnectionError()], [ValueError(), ValueError()]])
def test_a_lease_is_renewed_while_its_block_runs(records: Watched, faults: list[Exception]) -> None:
    """Lease and timer are extended, even if single renewals fail."""
    records.faults = list(faults)
    with Leases(records).hold(current(records), S.RENDERED):
        assert records.renewed.wait(5)
    job = current(records)
    until = records.clock() + LEASE
    assert (until, until) == (job.lease_until, job.due_at)


def test_a_lease_of_another_is_not_touched(records: Watched) -> None:
    """A worker that lost its lease renews nothing."""
    job = current(records)
    JobStore.change(records, "job1", [S.RENDERED], Change(set={"lease_owner": "other"}))
    with Leases(records).hold(job, S.RENDERED):
        assert not records.renewed.wait(0.1)
    assert 1.0 == current(records).lease_until


def test_a_lease_ends_with_its_block(records: Watched) -> None:
    """After the block the lease is not renewed."""
    with Leases(records).hold(current(records), S.RENDERED):
        assert records.renewed.wait(5)
    records.renewed.clear()
    assert not records.renewed.wait(0.1)
