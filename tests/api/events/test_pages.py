"""Pages of events: every event once."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from api.events.entries import Entry, kept, newest, oldest, settled
from api.events.pages import Page, read_page
from api.events.positions import START, Cursor, EventId, Positions
from api.events.selection import Selection
from tests.api.events.conftest import Happen, jobs_of
from webhook.shards import shard_key
from worker.jobs.events import place
from worker.jobs.job import JobState
from worker.jobs.store import EVENTS, EVENTS_KEPT, JobStore

ALL = Selection(tenant="default")


def pages(
    redis: Redis, after: Positions = START, *, limit: int, wanted: Callable[[Entry], bool] = ALL.has
) -> list[Page]:
    """Return all pages after these positions."""
    found = [read_page(redis, after, wanted=wanted, limit=limit)]
    while found[-1].more:
        found.append(read_page(redis, found[-1].after, wanted=wanted, limit=limit))
    return found


def ids(found: Sequence[Page]) -> list[EventId]:
    """Return the ids of the events of these pages."""
    return [entry.id for page in found for entry in page.entries]


def append(redis: Redis, shard: int, ms: int, count: int = 1) -> list[EventId]:
    """Append events of a job to the shard's stream, at this time of its server."""
    [job] = jobs_of(shard)
    event: dict[Any, Any] = {
        "id": job,
        "name": "progress",
        "from": "QUEUED",
        "to": "QUEUED",
        "at": "1",
    }
    with redis.pipeline(transaction=False) as calls:
        for _ in range(count):
            calls.xadd(shard_key(shard, EVENTS), event, id=f"{ms}-*")
        made = calls.execute()
    return [EventId(*place(entry), shard) for entry in made]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.tuples(st.integers(0, 63), st.integers(1, 50), st.integers(1, 30)), max_size=20),
    st.integers(1, 60),
)
def test_pages_have_each_event_once_by_time(
    records: JobStore, written: list[tuple[int, int, int]], limit: int
) -> None:
    """Whatever streams the events are in, and whatever the size of a page."""
    records.redis.flushall()
    times = dict.fromkeys(range(64), 0)
    expected = []
    for shard, step, count in written:
        times[shard] += step
        expected += append(records.redis, shard, times[shard], count)
    found = pages(records.redis, limit=limit)
    assert (sorted(expected), True) == (ids(found), all(len(p.entries) <= limit for p in found))


def test_a_page_waits_for_the_older_events_of_a_full_stream(records: JobStore) -> None:
    """What is newer than the unread rest of a long stream is on a later page."""
    long = [each for ms in range(1, 40) for each in append(records.redis, 7, ms, 10)]
    late = append(records.redis, 8, 1_000)
    assert [*long, *late] == ids(pages(records.redis, limit=50))


def test_a_page_without_a_wanted_event_moves_on(records: JobStore) -> None:
    """A call reads a bounded number of events, and the next goes on behind them."""
    append(records.redis, 1, 5, 3_000)
    first = read_page(records.redis, START, wanted=lambda _: False, limit=10)
    seen = first.last
    assert seen is not None
    assert (0, True, True, [2_999]) == (
        len(first.entries),
        first.more,
        0 < seen.seq < 1_000,
        [
            page.last.seq
            for page in pages(records.redis, limit=10, wanted=lambda _: False)[-1:]
            if page.last
        ],
    )


def test_what_is_written_between_two_pages_is_on_the_next(records: JobStore) -> None:
    """A cursor is exact in each stream, also for events that a slow clock puts earlier."""
    append(records.redis, 1, 5_000)
    first = read_page(records.redis, START, wanted=ALL.has, limit=10)
    late = append(records.redis, 2, 1_000)
    cursor = Cursor.parse(first.after.encode())
    assert late == ids(pages(records.redis, cursor.positions, limit=10))


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(tenant="default"), ["created", "a", "moved"]),
        (Selection(tenant="acme"), ["created", "b"]),
        (Selection(tenant="other"), []),
        (Selection(tenant="default", job_ids=frozenset({"theirs"})), []),
        (Selection(tenant="acme", job_ids=frozenset({"theirs", "x"})), ["created", "b"]),
        (Selection(tenant="default", names=frozenset({"a", "b"})), ["a"]),
        (Selection(tenant="default", states=frozenset({JobState.CANCELLED})), ["moved"]),
        (Selection(tenant="default", states=frozenset({JobState.PUBLISHED})), []),
    ],
)
def test_a_selection_has_events_of_its_tenant_alone(
    records: JobStore, happen: Happen, selection: Selection, expected: list[str]
) -> None:
    """Also if it names a job of another tenant."""
    happen("a", job="ours")
    happen("b", job="theirs", tenant="acme")
    happen(job="ours", to=JobState.CANCELLED)
    found = pages(records.redis, limit=100, wanted=selection.has)
    assert expected == [entry.event["name"] for page in found for entry in page.entries]


def test_forgotten_events_are_a_gap(records: JobStore) -> None:
    """A cursor whose next events were trimmed says so; one behind them does not."""
    append(records.redis, 3, 1_000, EVENTS_KEPT)
    old = Cursor(read_page(records.redis, START, wanted=ALL.has, limit=5).after)
    append(records.redis, 3, 100_000, 5)
    new = Cursor(newest(kept(records.redis)))
    records.redis.xtrim(shard_key(3, EVENTS), maxlen=3, approximate=False)
    streams = kept(records.redis)
    event = Cursor.parse("100000-3@03")
    assert [True, False, True, False] == [
        settled(each, streams)[1] for each in (old, new, event, Cursor())
    ]


def test_an_untrimmed_stream_has_no_gap(records: JobStore) -> None:
    """A cursor from before the first event of a stream misses nothing."""
    append(records.redis, 1, 50_000)
    before = Cursor(read_page(records.redis, START, wanted=ALL.has, limit=5).after)
    append(records.redis, 2, 90_000, 20)
    assert (before.positions, False) == settled(before, kept(records.redis))


@pytest.mark.parametrize("text", ["100000-0@01", "exact"])
def test_a_redis_that_lacks_the_last_event_is_a_gap(records: JobStore, text: str) -> None:
    """After a copy was restored the client hears of it, and gets the events to come."""
    append(records.redis, 1, 100_000)
    if text == "exact":
        text = read_page(records.redis, START, wanted=ALL.has, limit=5).after.encode()
    records.redis.flushall()
    append(records.redis, 1, 50_000)
    after, gap = settled(Cursor.parse(text), kept(records.redis))
    coming = append(records.redis, 1, 50_001)
    assert (True, coming) == (gap, ids(pages(records.redis, after, limit=10)))


def test_the_oldest_positions_are_before_all_that_is_kept(records: JobStore) -> None:
    """A reader there gets everything, and hears later if some of it was forgotten."""
    expected = [*append(records.redis, 1, 7, 2), *append(records.redis, 2, 8)]
    records.redis.xtrim(shard_key(1, EVENTS), maxlen=1, approximate=False)
    first = oldest(kept(records.redis))
    assert (expected[1:], first) == (
        ids(pages(records.redis, first, limit=10)),
        settled(Cursor(first), kept(records.redis))[0],
    )
