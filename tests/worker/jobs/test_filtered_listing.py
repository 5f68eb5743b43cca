"""Filtered pages: every matching job once, at a bounded price, and nothing of another tenant."""

from base64 import urlsafe_b64decode
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.client import Pipeline

from tests.factories.world import ENDPOINT, ManualClock
from worker.jobs import filtered_listing
from worker.jobs.change import Change
from worker.jobs.filtered_listing import FilteredPage, filtered_page
from worker.jobs.job import Job, JobState
from worker.jobs.listing import read
from worker.jobs.store import JobStore, job_key
from worker.jobs.tenant import DEFAULT
from worker.types import Json

S = JobState
OTHER = "fal-ai/flux/dev"


def add(
    store: JobStore,
    job_id: str,
    tenant: str = DEFAULT,
    *,
    endpoint: str = ENDPOINT,
    **metadata: Json,
) -> str:
    """Add a job and return its id."""
    job = Job(id=job_id, endpoint=endpoint, arguments={}, tenant=tenant, metadata=metadata)
    assert store.add(job, due=0, event={"name": "created"})
    return job_id


def pages(store: JobStore, limit: int, tenant: str = DEFAULT, **by: object) -> list[FilteredPage]:
    """Return all pages."""
    found: list[FilteredPage] = []
    while not found or found[-1].cursor:
        cursor = found[-1].cursor if found else ""
        found.append(
            filtered_page(store.redis, tenant=tenant, cursor=cursor, limit=limit, **by)  # type: ignore[arg-type]
        )
    return found


def ids(found: Sequence[FilteredPage]) -> list[str]:
    """Return the ids of all jobs of the pages."""
    return [job.id for each in found for job in each.jobs]


def cursors(found: Sequence[FilteredPage]) -> Iterator[str]:
    """Yield what the cursors encode."""
    for each in found:
        yield urlsafe_b64decode(each.cursor + "=" * (-len(each.cursor) % 4)).decode()


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[Pipeline]:
    """The round trips of pipelines, with any others refused."""
    made: list[Pipeline] = []
    execute = Pipeline.execute

    def counted(calls: Pipeline, raise_on_error: bool = True) -> list[object]:
        made.extend([calls] if calls.command_stack else [])
        return execute(calls, raise_on_error)

    monkeypatch.setattr(Pipeline, "execute", counted)
    return made


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    jobs=st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["default", "acme"]), st.booleans())
    ),
    limit=st.integers(1, 9),
    examined=st.integers(1, 12),
)
def test_pages_have_every_matching_job_once(
    records: JobStore,
    clock: ManualClock,
    jobs: list[tuple[int, str, bool]],
    limit: int,
    examined: int,
) -> None:
    """Whatever is between them, the pages together are the matches, newest first, and no others."""
    records.redis.flushdb()
    placed = []
    for number, (instant, tenant, other) in enumerate(jobs):
        clock.now = 1_000.0 + instant
        job_id = add(records, f"j{number}", tenant, endpoint=OTHER if other else ENDPOINT)
        placed.append((clock.now, job_id, tenant, other))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(filtered_listing, "EXAMINED", examined)
        patch.setattr(filtered_listing, "_TOGETHER", 3)
        for tenant in (DEFAULT, "acme"):
            own = [each for each in sorted(placed, reverse=True) if each[2] == tenant]
            every = pages(records, limit, tenant)
            matching = pages(records, limit, tenant, endpoint=OTHER)
            assert [each[1] for each in own] == ids(every)
            assert [each[1] for each in own if each[3]] == ids(matching)
            others = {each[1] for each in placed} - {each[1] for each in own}
            named = {text.partition(":")[2] for text in cursors([*every, *matching])}
            assert set() == named & others


def test_jobs_are_filtered_by_state_endpoint_and_metadata(records: JobStore) -> None:
    """A job has to meet every condition; values that are not text are compared as JSON."""
    add(records, "a", title="Fox", n=7)
    add(records, "b", title="Fox", endpoint=OTHER)
    add(records, "c", title="Cat", ready=True)
    add(records, "d", "acme", title="Fox", n=7)
    records.change("b", S, Change(to=S.CANCELLED, due=0, event={"name": "moved"}))
    found = {
        "title": ids(pages(records, 9, metadata={"title": "Fox"})),
        "both": ids(pages(records, 9, metadata={"title": "Fox", "n": "7"})),
        "flag": ids(pages(records, 9, metadata={"ready": "true"})),
        "absent": ids(pages(records, 9, metadata={"no": ""})),
        "endpoint": ids(pages(records, 9, endpoint=OTHER)),
        "state": ids(pages(records, 9, state=S.CANCELLED)),
        "all": ids(pages(records, 9, state=S.QUEUED, endpoint=OTHER)),
        "acme": ids(pages(records, 9, "acme", metadata={"title": "Fox"})),
    }
    assert {
        "title": ["b", "a"],
        "both": ["a"],
        "flag": ["c"],
        "absent": [],
        "endpoint": ["b"],
        "state": ["b"],
        "all": [],
        "acme": ["d"],
    } == found


def test_a_page_looks_at_a_bounded_number_of_jobs(
    records: JobStore, clock: ManualClock, trips: list[Pipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it does not reach is on a later page; the cursor leads there even from an empty one."""
    monkeypatch.setattr(filtered_listing, "EXAMINED", 100)
    monkeypatch.setattr(filtered_listing, "_TOGETHER", 50)
    for number in range(250):
        clock.forward(1)
        add(records, f"j{number}", endpoint=OTHER if number == 0 else ENDPOINT)
    trips.clear()
    first = filtered_page(records.redis, tenant=DEFAULT, endpoint=OTHER, limit=20)
    # 20, 50 and 50 jobs: places and fields of each.
    assert ([], 6) == (list(first.jobs), len(trips))
    assert ["j0"] == ids(pages(records, 20, endpoint=OTHER))


@pytest.mark.parametrize("tenant", [DEFAULT, "acme"])
def test_a_page_without_filters_costs_two_round_trips(
    records: JobStore, trips: list[Pipeline], monkeypatch: pytest.MonkeyPatch, tenant: str
) -> None:
    """Ids are one request to Redis, whole records another, where no other tenant has jobs."""
    for number in range(150):
        add(records, f"j{number}", tenant)
    trips.clear()
    monkeypatch.setattr(records.redis, "execute_command", None)
    assert (100, 2) == (
        len(filtered_page(records.redis, tenant=tenant, limit=100).jobs),
        len(trips),
    )


def test_a_job_that_moves_away_meanwhile_is_not_listed(
    records: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page of a state has no job of another one, and a job that is gone is left out."""
    for job_id in ("a", "b", "c"):
        add(records, job_id)

    def moved(redis: object, job_ids: Sequence[str]) -> Sequence[Job]:
        records.change("b", S, Change(to=S.CANCELLED, due=0, event={"name": "moved"}))
        records.redis.delete(job_key("c"))
        return read(records.redis, job_ids)

    monkeypatch.setattr(filtered_listing, "read", moved)
    assert ["a"] == ids(pages(records, 9, state=S.QUEUED))


@pytest.mark.parametrize("cursor", ["x", "é", "MTphIGI", "bmFuOmE", "MTAwMC4wOmE="])
def test_an_unknown_cursor_is_refused(records: JobStore, cursor: str) -> None:
    """Text that no page returned raises ValueError with the text: not base64, no id, no time."""
    with pytest.raises(ValueError, match="is not a cursor that a list returned"):
        filtered_page(records.redis, tenant=DEFAULT, cursor=cursor)


def test_jobs_with_chosen_ids_of_one_shard_are_listed(
    records: JobStore, clock: ManualClock
) -> None:
    """However unevenly they are spread, a page is full and in order."""
    key = job_key("j0").partition("}")[0]
    crowded = [name for n in range(9_000) if job_key(name := f"j{n}").startswith(key)][:120]
    for job_id in crowded:
        clock.forward(1)
        add(records, job_id)
    assert crowded[::-1][:100] == ids(pages(records, 100))[:100]


def test_a_damaged_record_does_not_stop_a_page(records: JobStore) -> None:
    """A job whose metadata cannot be read matches none, and the others are listed."""
    add(records, "damaged", title="Fox")
    add(records, "whole", title="Fox")
    records.redis.hset(job_key("damaged"), "metadata", "{")
    assert ["whole"] == ids(pages(records, 10, metadata={"title": "Fox"}))
