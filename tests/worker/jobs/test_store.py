"""The compare-and-set on a real Redis: all or nothing, told in the same step."""

import threading
from collections.abc import Callable, Iterator

import pytest

from tests.factories.world import ENDPOINT, ManualClock
from worker.jobs.change import Change
from worker.jobs.events import follow, history
from worker.jobs.job import FINAL, MOVES, Job, JobState, encode
from worker.jobs.store import EVENTS, TIMERS, JobStore, connect, history_key, job_key

S = JobState


@pytest.fixture
def clock() -> ManualClock:
    """Time that stands."""
    return ManualClock()


@pytest.fixture
def records(redis_url: str, clock: ManualClock) -> Iterator[JobStore]:
    """Records on an empty Redis."""
    with connect(redis_url) as redis:
        yield JobStore(redis, clock=clock)


def add(records: JobStore, job_id: str = "job1", **changes: object) -> bool:
    """Write a job down."""
    fields: dict[str, object] = {"arguments": {"prompt": "é\n", "n": [1, None]}, **changes}
    job = Job(id=job_id, endpoint=ENDPOINT, **fields)  # type: ignore[arg-type]
    return records.add(job, due=records.clock() + 20, event={"name": "created"})


def everything(records: JobStore) -> dict[str, object]:
    """All that stands in Redis."""
    redis = records.redis
    readers: dict[str, Callable[[str], object]] = {
        "hash": redis.hgetall,
        "zset": lambda key: redis.zrange(key, 0, -1, withscores=True),
        "stream": redis.xrange,
    }
    keys = sorted(str(key) for key in redis.scan_iter("*"))
    return {key: readers[str(redis.type(key))](key) for key in keys}


def test_a_new_job_reads_back(records: JobStore, clock: ManualClock) -> None:
    """What was written down is what is read, to the last character."""
    assert add(records)
    job = records.get("job1")
    assert job is not None
    assert ({"prompt": "é\n", "n": [1, None]}, S.QUEUED, clock.now) == (
        job.arguments,
        job.state,
        job.created_at,
    )
    assert (["job1"], 1, clock.now + 20) == (
        [each.id for each in records.list()],
        records.count(S.QUEUED),
        job.due_at,
    )


def test_the_same_id_again_changes_nothing(records: JobStore) -> None:
    """A second add of an id is refused, and the first record stays."""
    add(records)
    before = everything(records)
    assert not add(records, arguments={})
    assert before == everything(records)


@pytest.mark.parametrize(
    "change",
    [
        Change(to=S.SUBMITTING, guard={"attempt": 7}),
        Change(to=S.SUBMITTING, guard={"lease_owner": "me"}),
        Change(to=S.PUBLISHED),
        Change(to=S.RENDERED, unleased_at=5.0),
    ],
)
def test_a_refused_change_leaves_no_trace(records: JobStore, change: Change) -> None:
    """A guard that fails, a lease that holds or a move off the table leaves Redis as it was."""
    add(records)
    records.redis.hset(job_key("job1"), "lease_until", "10.0")
    before = everything(records)
    assert not records.change("job1", S, change)
    assert before == everything(records)


def test_a_change_of_no_job_makes_none(records: JobStore) -> None:
    """A change never creates a record."""
    assert not records.change("nobody", S, Change(set={"tries": 1}, event={"name": "x"}))
    assert {} == everything(records)


@pytest.mark.parametrize("start", sorted(S))
@pytest.mark.parametrize("end", sorted(S))
def test_the_table_alone_says_who_may_move(records: JobStore, start: S, end: S) -> None:
    """Of all pairs of states exactly those in MOVES can be moved between."""
    add(records, state=start)
    if start is end:
        return
    assert (end in MOVES[start]) is records.change("job1", S, Change(to=end, event={"name": "m"}))
    job = records.get("job1")
    assert job is not None
    assert (end if end in MOVES[start] else start) is job.state


def test_published_is_the_end() -> None:
    """Nothing leads out of PUBLISHED, and every state can reach an end."""
    assert frozenset() == MOVES[S.PUBLISHED]
    assert set(S) == set(MOVES)
    ends = set(FINAL)
    while more := {state for state in S if MOVES[state] & ends} - ends:
        ends |= more
    assert set(S) == ends


def test_a_move_keeps_indexes_timer_and_history_together(
    records: JobStore, clock: ManualClock
) -> None:
    """After a move the state's index, the timer, the history and the record say the same."""
    add(records)
    clock.forward(5)
    change = Change(to=S.SUBMITTING, bump=("attempt",), due=clock() + 9, event={"name": "started"})
    assert records.change("job1", [S.QUEUED], change)
    job = records.get("job1")
    assert job is not None
    assert (S.SUBMITTING, 1, clock(), clock() + 9) == (
        job.state,
        job.attempt,
        job.updated_at,
        job.due_at,
    )
    assert (0, 1, clock() + 9) == (
        records.count(S.QUEUED),
        records.count(S.SUBMITTING),
        records.redis.zscore(TIMERS, "job1"),
    )
    last = history(records.redis, "job1")[-1]
    assert (S.QUEUED, S.SUBMITTING, "started") == (last["from"], last["to"], last["name"])


def test_both_streams_tell_the_same(records: JobStore) -> None:
    """The job's own history and the stream of all jobs have the same events and ids."""
    add(records)
    records.change("job1", [S.QUEUED], Change(to=S.FAILED, due=0, event={"name": "moved"}))
    assert records.redis.xrange(EVENTS) == records.redis.xrange(history_key("job1"))


def test_no_timer_means_none(records: JobStore) -> None:
    """A due of 0 takes the timer away, None leaves it."""
    add(records)
    records.change("job1", [S.QUEUED], Change(set={"tries": 1}))
    assert None is not records.redis.zscore(TIMERS, "job1")
    records.change("job1", [S.QUEUED], Change(due=0))
    assert None is records.redis.zscore(TIMERS, "job1")


def test_of_many_claims_at_once_one_wins(records: JobStore, redis_url: str) -> None:
    """Sixteen clients that claim the same job at once: one of them gets it."""
    add(records)
    won: list[int] = []

    def claim(number: int) -> None:
        with connect(redis_url) as redis:
            change = Change(to=S.SUBMITTING, set={"lease_owner": str(number)})
            if JobStore(redis).change("job1", [S.QUEUED], change):
                won.append(number)

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    job = records.get("job1")
    assert job is not None
    assert [job.lease_owner] == [str(number) for number in won]


def test_due_comes_in_order_and_bounded(records: JobStore, clock: ManualClock) -> None:
    """The most overdue jobs come first, no more than asked for, and none that has time left."""
    for number in (3, 1, 2):
        add(records, f"job{number}")
        records.change(f"job{number}", [S.QUEUED], Change(due=clock() + number))
    add(records, "later")
    clock.forward(3)
    assert ["job1", "job2"] == list(records.due(2))
    assert ["job1", "job2", "job3"] == list(records.due(10))


def test_following_starts_where_asked(records: JobStore) -> None:
    """A follower from the start sees what came before it; None says that nothing more came."""
    add(records)
    events = follow(records.redis, ["job1"], since="0")
    first = next(events)
    assert first is not None
    assert ("created", None) == (first["name"], next(events))


def test_encode_and_decode_are_inverse(records: JobStore) -> None:
    """Each field of a job comes back as it was given, whatever its type."""
    add(records)
    given = {
        "payload": {"video": {"url": "https://x/y"}},
        "lease_until": 12.5,
        "tries": 3,
        "posted": 2,
        "sentence": "What happened: “it”\n",
        "source": {"bytes": 1},
    }
    records.change("job1", [S.QUEUED], Change(set=given))
    job = records.get("job1")
    assert given == {name: getattr(job, name) for name in given}
    assert {"tries": "3", "payload": "null"} == encode({"tries": 3, "payload": None})
