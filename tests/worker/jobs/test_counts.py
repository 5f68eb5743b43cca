"""What the script counts with a change: all that was made, once, and what was refused as that."""

import math

import pytest

from tests.factories.world import ENDPOINT, ManualClock
from webhook.shards import key_of
from worker.jobs.change import Change
from worker.jobs.counts import BOUNDS, MOVED, bytes_in, counts_key
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore

S = JobState


def add(records: JobStore, job_id: str = "job1", endpoint: str = ENDPOINT) -> bool:
    """Add a job that should cost 1.4 dollars; return whether it is new."""
    job = Job(id=job_id, endpoint=endpoint, arguments={}, estimate={"usd": 1.4})
    return records.add(job, due=records.clock() + 20, event={"name": "created"})


def counts(records: JobStore, job_id: str = "job1") -> dict[str, int]:
    """Return the counts of the job's shard."""
    found = records.redis.hgetall(counts_key(job_id))
    return {str(field): int(value) for field, value in found.items()}


def test_a_whole_job_is_counted(records: JobStore, clock: ManualClock) -> None:
    """Moves with their times, the price and the end are counted with the changes themselves."""
    add(records)
    clock.forward(3)
    records.change("job1", S, Change(to=S.SUBMITTING))
    clock.forward(0.02)
    records.change("job1", S, Change(to=S.SUBMITTED))
    clock.forward(90.5)
    records.change("job1", S, Change(to=S.RENDERED))
    records.change("job1", S, Change(set={"tries": 1}))
    failed = {"name": "moved", "reason": "download_gone"}
    records.change("job1", S, Change(to=S.FAILED, event=failed, count=bytes_in(7)))
    assert {
        "mv|NEW|QUEUED|0": MOVED,
        "mv|QUEUED|SUBMITTING|7": MOVED + 300,
        "mv|SUBMITTING|SUBMITTED|1": MOVED + 2,
        "mv|SUBMITTED|RENDERED|11": MOVED + 9050,
        f"usd|{ENDPOINT}|estimate": 1_400_000,
        "mv|RENDERED|FAILED|1": MOVED,
        f"end|{ENDPOINT}|FAILED|download_gone": 1,
        "bytes|in": 7,
    } == counts(records)


def test_many_moves_are_counted_in_two_halves(records: JobStore, clock: ManualClock) -> None:
    """Moves and their time never meet in one number, however many and however long they are."""
    add(records)
    field = "mv|QUEUED|SUBMITTING|19"
    records.redis.hset(counts_key("job1"), field, 999 * MOVED + 999 * 15_000_000)
    clock.forward(1e9)
    records.change("job1", S, Change(to=S.SUBMITTING))
    found = counts(records)
    assert field not in found
    assert {f"{field}|n": 1_000, f"{field}|s": 15_000_000_000} == {
        name: value for name, value in found.items() if name.startswith(field)
    }


def test_a_refused_change_counts_as_that_alone(records: JobStore) -> None:
    """A creation, a move and a guard that do not fit count by the state that they met."""
    add(records)
    assert not add(records)
    assert not records.change("job1", [S.RENDERED], Change(to=S.DOWNLOADED, count=bytes_in(7)))
    assert not records.change("job1", S, Change(to=S.SUBMITTING, guard={"attempt": 2}))
    # Of a creation: without a record, and over that of one that was rejected.
    assert {"mv|NEW|QUEUED|0": MOVED, "refused|QUEUED": 4} == counts(records)


def test_without_a_record_a_change_is_refused(records: JobStore) -> None:
    """It counts as refused, and makes no record."""
    assert not records.change("job1", S, Change(to=S.SUBMITTING))
    assert {"refused|NONE": 1} == counts(records)


@pytest.mark.parametrize("number", range(len(BOUNDS) + 1))
def test_the_script_has_the_bounds(records: JobStore, clock: ManualClock, number: int) -> None:
    """A time up to a bound has its place; one beyond all of them has the next."""
    add(records)
    clock.forward([*BOUNDS, 1e6][number] * 0.999)
    records.change("job1", S, Change(to=S.SUBMITTING))
    assert f"mv|QUEUED|SUBMITTING|{number + 1}" in counts(records)
    clock.forward(-1e7)
    records.change("job1", S, Change(to=S.SUBMITTED))
    assert MOVED == counts(records)["mv|SUBMITTING|SUBMITTED|1"]


def test_names_have_an_end(records: JobStore) -> None:
    """Ends with names that a full hash does not have are counted together, and none is lost."""
    add(records)
    full = {f"end|owner/app{number}|CANCELLED|": 1 for number in range(480)}
    for field in full:
        records.redis.hset(counts_key("job1"), field, 1)
    records.change("job1", S, Change(to=S.CANCELLED))
    found = {field: each for field, each in counts(records).items() if field.startswith("end|")}
    assert full | {"end|other|CANCELLED|other": 1} == found


@pytest.mark.parametrize("endpoint", ["a|b", "x" * 101, "new\nline"])
def test_any_text_is_no_name(records: JobStore, endpoint: str) -> None:
    """The endpoint of a job that was rejected counts as another if it is none."""
    add(records, endpoint=endpoint)
    records.change("job1", S, Change(to=S.CANCELLED))
    assert 1 == counts(records)["end|other|CANCELLED|"]


def test_a_count_that_fails_fails_no_move(records: JobStore) -> None:
    """A job moves though its count is at its end."""
    add(records)
    records.redis.hset(counts_key("job1"), "mv|QUEUED|SUBMITTING|1", 2**63 - 1)
    assert records.change("job1", S, Change(to=S.SUBMITTING))
    assert "SUBMITTING" == records.redis.hget(key_of("job1", "job:job1"), "state")
    assert math.log2(counts(records)["mv|QUEUED|SUBMITTING|1"]) == 63
