"""The compare-and-set on a real Redis: all or nothing, with its event in the same step."""

import threading
from collections.abc import Callable

import pytest

from tests.factories.listed import count_of, history_of, jobs_of
from tests.factories.world import ENDPOINT, ManualClock
from webhook.shards import all_keys, key_of
from worker.jobs.change import Change
from worker.jobs.counts import COUNTS
from worker.jobs.events import follow
from worker.jobs.job import FINAL, MOVES, Job, JobState, encode
from worker.jobs.store import EVENTS, JobStore, connect, job_key

S = JobState


def add(records: JobStore, job_id: str = "job1", **changes: object) -> bool:
    """Add a job; return whether it is new."""
    fields: dict[str, object] = {"arguments": {"prompt": "é\n", "n": [1, None]}, **changes}
    job = Job(id=job_id, endpoint=ENDPOINT, **fields)  # type: ignore[arg-type]
    return records.add(job, due=records.clock() + 20, event={"name": "created"})


def everything(records: JobStore) -> dict[str, object]:
    """Return everything in Redis but what is counted, among it what was refused."""
    redis = records.redis
    readers: dict[str, Callable[[str], object]] = {
        "hash": redis.hgetall,
        "zset": lambda key: redis.zrange(key, 0, -1, withscores=True),
        "stream": redis.xrange,
    }
    counts = set(all_keys(COUNTS))
    keys = sorted({str(key) for key in redis.scan_iter("*")} - counts)
    return {key: readers[str(redis.type(key))](key) for key in keys}


def test_a_new_job_reads_back(records: JobStore, clock: ManualClock) -> None:
    """A job is read as it was written, character for character."""
    assert add(records)
    job = records.get("job1")
    assert job is not None
    assert ({"prompt": "é\n", "n": [1, None]}, S.QUEUED, clock.now) == (
        job.arguments,
        job.state,
        job.created_at,
    )
    assert (["job1"], 1, clock.now + 20) == (
        [listed.id for listed in jobs_of(records)],
        count_of(records, S.QUEUED),
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
    """A failed guard, a current lease or a move outside the table leaves Redis unchanged."""
    add(records)
    records.redis.hset(job_key("job1"), "lease_until", "10.0")
    before = everything(records)
    assert not records.change("job1", S, change)
    assert before == everything(records)


def test_a_change_never_creates_a_job(records: JobStore) -> None:
    """A change for an unknown job writes nothing."""
    assert not records.change("nobody", S, Change(set={"tries": 1}, event={"name": "x"}))
    assert {} == everything(records)


@pytest.mark.parametrize("start", sorted(S))
@pytest.mark.parametrize("end", sorted(S))
def test_only_moves_in_the_table_are_possible(records: JobStore, start: S, end: S) -> None:
    """Of all pairs of states exactly those in MOVES are possible."""
    add(records, state=start)
    if start is end:
        return
    assert (end in MOVES[start]) is records.change("job1", S, Change(to=end, event={"name": "m"}))
    job = records.get("job1")
    assert job is not None
    assert (end if end in MOVES[start] else start) is job.state


def test_nothing_leads_out_of_published() -> None:
    """PUBLISHED has no moves, and every state can reach a final one."""
    assert frozenset() == MOVES[S.PUBLISHED]
    assert set(S) == set(MOVES)
    ends = set(FINAL)
    while more := {state for state in S if MOVES[state] & ends} - ends:
        ends |= more
    assert set(S) == ends


def test_a_move_keeps_indexes_timer_and_history_together(
    records: JobStore, clock: ManualClock
) -> None:
    """After a move the state's index, the timer, the history and the record agree."""
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
        count_of(records, S.QUEUED),
        count_of(records, S.SUBMITTING),
        records.due_at("job1"),
    )
    last = history_of(records, "job1")[-1]
    assert (S.QUEUED, S.SUBMITTING, "started") == (last["from"], last["to"], last["name"])


def test_stream_and_history_have_the_same_events(records: JobStore) -> None:
    """The job's own history and the stream of its shard have the same events."""
    add(records)
    records.change("job1", [S.QUEUED], Change(to=S.FAILED, due=0, event={"name": "moved"}))
    records.change(
        "job1", [S.FAILED], Change(event={"name": "noted", "sentence": "“a/b”\n\u2028\x85\x1c"})
    )
    entries = records.redis.xrange(key_of("job1", EVENTS)) or []
    assert [fields for _, fields in entries] == list(history_of(records, "job1"))


def test_a_due_of_zero_removes_the_timer(records: JobStore) -> None:
    """A due of 0 removes the timer, None keeps it."""
    add(records)
    records.change("job1", [S.QUEUED], Change(set={"tries": 1}))
    assert None is not records.due_at("job1")
    records.change("job1", [S.QUEUED], Change(due=0))
    assert None is records.due_at("job1")


def test_one_of_many_concurrent_claims_wins(records: JobStore, redis_url: str) -> None:
    """Of sixteen clients that claim a job together one gets it."""
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


def test_due_jobs_are_ordered_and_limited(records: JobStore, clock: ManualClock) -> None:
    """The most overdue jobs come first, at most the requested number, and only due ones."""
    for number in (3, 1, 2):
        add(records, f"job{number}")
        records.change(f"job{number}", [S.QUEUED], Change(due=clock() + number))
    add(records, "later")
    clock.forward(3)
    assert ["job1", "job2", "job3"] == list(records.due(10))


def test_following_starts_at_since(records: JobStore) -> None:
    """A follower from the start gets earlier events; None means that there are no more."""
    add(records)
    events = follow(records.redis, ["job1"], since="0")
    first = next(events)
    assert first is not None
    assert ("created", None) == (first["name"], next(events))


def test_encode_and_decode_are_inverse(records: JobStore) -> None:
    """Each field of a job is read as it was written, for every type."""
    add(records)
    values = {
        "payload": {"video": {"url": "https://x/y"}},
        "lease_until": 12.5,
        "tries": 3,
        "posted": 2,
        "sentence": "What happened: “it”\n",
        "source": {"bytes": 1},
    }
    records.change("job1", [S.QUEUED], Change(set=values))
    job = records.get("job1")
    assert values == {name: getattr(job, name) for name in values}
    assert {"tries": "3", "payload": "null"} == encode({"tries": 3, "payload": None})
