"""Lists over the shards: every job once, the newest first, in few round trips."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis
from redis.client import Pipeline

from tests.factories.world import ENDPOINT, ManualClock
from webhook.shards import SHARDS, shard_of
from worker.jobs.change import Change
from worker.jobs.job import Job, JobState
from worker.jobs.listing import Page, count, has_jobs, newest, page, read
from worker.jobs.store import JobStore

JOBS = 150


def add(records: JobStore, number: int) -> str:
    """Add a job and return its id."""
    job = Job(id=f"job-{number}", endpoint=ENDPOINT, arguments={})
    records.add(job, due=0, event={"name": "created"})
    return job.id


def pages(redis: Redis, limit: int, state: JobState | None = None) -> Iterator[Page]:
    """Yield page after page."""
    cursor = ""
    while True:
        found = page(redis, state=state, cursor=cursor, limit=limit)
        yield found
        if not (cursor := found.cursor):
            return


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(instants=st.lists(st.integers(0, 3), min_size=1, max_size=60), limit=st.integers(1, 25))
def test_pages_have_every_job_once(
    records: JobStore, clock: ManualClock, instants: list[int], limit: int
) -> None:
    """However many jobs share an instant, the pages together are the jobs, the newest first."""
    records.redis.flushdb()
    created = {}
    for number, instant in enumerate(instants):
        clock.now = 1_000.0 + instant
        created[add(records, number)] = clock.now
    expected = sorted(created, key=lambda job_id: (created[job_id], job_id), reverse=True)
    assert expected == [job_id for each in pages(records.redis, limit) for job_id in each.ids]
    assert expected == [job.id for job in newest(records.redis)]


def test_a_page_stays_while_jobs_move(records: JobStore, clock: ManualClock) -> None:
    """New jobs and moves between two pages neither repeat nor hide another job."""
    ids = []
    for number in range(30):
        clock.forward(1)
        ids.append(add(records, number))
    first = page(records.redis, state=JobState.QUEUED, limit=10)
    clock.forward(1)
    add(records, 99)
    records.change(first.ids[0], [JobState.QUEUED], Change(to=JobState.CANCELLED, due=0))
    second = page(records.redis, state=JobState.QUEUED, cursor=first.cursor, limit=10)
    assert (ids[:19:-1], ids[19:9:-1]) == (list(first.ids), list(second.ids))


def test_a_page_costs_two_round_trips(records: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids are one request to Redis, records another, however many jobs there are."""
    for number in range(JOBS):
        add(records, number)
    trips = []
    execute = Pipeline.execute

    def counted(calls: Pipeline, raise_on_error: bool = True) -> list[object]:
        trips.append(calls)
        return execute(calls, raise_on_error)

    monkeypatch.setattr(Pipeline, "execute", counted)
    monkeypatch.setattr(records.redis, "execute_command", None)
    jobs = read(records.redis, page(records.redis, limit=JOBS).ids)
    assert (JOBS, 2) == (len({job.id for job in jobs}), len(trips))


def test_counts_are_of_all_shards(records: JobStore) -> None:
    """Jobs are counted in whichever shard they are, and spread over all of them."""
    assert not has_jobs(records.redis)
    ids = [add(records, number) for number in range(20 * SHARDS)]
    assert {JobState.QUEUED: len(ids), JobState.FAILED: 0} == count(
        records.redis, [JobState.QUEUED, JobState.FAILED]
    )
    assert has_jobs(records.redis)
    assert set(range(SHARDS)) == {shard_of(job_id) for job_id in ids}


def test_a_cursor_of_another_origin_is_refused(records: JobStore) -> None:
    """Text that no list returned raises ValueError with the text."""
    with pytest.raises(ValueError, match="'nonsense' is not a cursor"):
        page(records.redis, cursor="nonsense")
