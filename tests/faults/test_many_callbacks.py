"""20,000 callbacks and 20 kills of the worker that ingests them: none is lost."""

import json
from collections.abc import Callable

import pytest

from tests.factories.listed import count_of
from tests.faults.system import ENDPOINT, StormSystem
from tests.faults.waiting import until
from webhook.contract import INBOX, Callback, Task, inbox_key
from webhook.shards import all_keys, key_of
from worker.jobs.job import Job, JobState
from worker.jobs.store import job_key

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]
CALLBACKS = 20_000
KILLS = 20
BATCH = 100


def submitted(system: StormSystem, number: int) -> str:
    """Create a job that fal has accepted and that waits for its callback; return its id."""
    job_id = f"many{number}"
    job = Job(id=job_id, endpoint=ENDPOINT, arguments={}, state=JobState.SUBMITTED)
    system.records.add(job, due=system.records.clock() + 3600, event={"name": "created"})
    system.records.redis.hset(job_key(job_id), "attempt", "1")
    return job_id


def receive(system: StormSystem, job_ids: list[str]) -> None:
    """Store a callback for each job and wake once, as the receiver does for a batch."""
    now = system.records.clock()
    pipe = system.raw.pipeline(transaction=True)
    for job_id in job_ids:
        content = {"error": "boom", "payload": None, "request_id": f"r-{job_id}", "status": "ERROR"}
        callback = Callback(
            attempt=1,
            request_id=f"r-{job_id}",
            received_at=now,
            body=json.dumps(content).encode(),
        )
        pipe.hsetnx(inbox_key(job_id), callback.fingerprint, callback.encode())
        pipe.zadd(key_of(job_id, INBOX), {job_id: now + 10}, nx=True)
    pipe.execute()
    system.wake(Task.INGEST, job_ids)


def pending(system: StormSystem) -> int:
    """Return how many jobs have callbacks that are not ingested."""
    return sum(system.raw.zcard(key) for key in all_keys(INBOX))


def settle(system: StormSystem, more: int) -> None:
    """Wait until `more` further jobs are settled."""
    settled = count_of(system.records, JobState.FAILED) + more
    until(
        lambda: count_of(system.records, JobState.FAILED) >= settled, "callbacks are ingested", 60
    )


def test_no_callback_is_lost(start: Callable[..., StormSystem]) -> None:
    """Each of 20,000 callbacks settles its job, though its worker is killed 20 times."""
    system = start()
    job_ids = [submitted(system, number) for number in range(CALLBACKS)]
    for first in range(0, CALLBACKS, BATCH):
        receive(system, job_ids[first : first + BATCH])
    for kill in range(KILLS):
        system.stack.supervisor.wait_running("callbacks", restarts=kill)
        settle(system, CALLBACKS // (KILLS + 5))
        assert system.kill("callbacks")
    until(lambda: pending(system) == 0, "the inbox is empty", 120)
    assert CALLBACKS == count_of(system.records, JobState.FAILED)
    assert 0 == count_of(system.records, JobState.SUBMITTED)
