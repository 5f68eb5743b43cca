"""Groups of failures: what is in them, what was spent on them, and when a job leaves one."""

from decimal import Decimal
from importlib import resources

import pytest

from tests.factories.failed_jobs import add_failed, change
from tests.factories.world import ENDPOINT, ManualClock
from webhook.shards import shard_of
from worker.jobs.failures import (
    FailureGroup,
    failure_group,
    failure_groups,
    first_members,
    members,
    message_of,
)
from worker.jobs.job import JobState
from worker.jobs.store import JobStore
from worker.operations.retry import Retry
from worker.retention.archive import index_keys

S = JobState


def only(store: JobStore, tenant: str = "default") -> FailureGroup:
    """Return the one group of a tenant."""
    [group] = failure_groups(store.redis, tenant)
    return group


def test_jobs_that_failed_alike_are_one_group(records: JobStore, clock: ManualClock) -> None:
    """A group has the jobs of all shards, their money, its first and its latest job."""
    first = clock()
    for number in range(20):
        add_failed(records, f"job-{number}", sentence=f"no room for {number} bytes")
        clock.forward(10)
    group = only(records)
    expected = (ENDPOINT, "storage_full", "no room for # bytes", 20, Decimal(28))
    assert expected == (group.endpoint, group.reason, group.message, group.jobs, group.spent)
    assert (first, first + 190, "job-19") == (group.first, group.last, group.sample)
    assert ["job-19", "job-18"] == list(first_members(records.redis, group.id, 2))
    assert group == failure_group(records.redis, group.id, "default")


def test_reason_endpoint_message_and_tenant_tell_groups_apart(records: JobStore) -> None:
    """Each of them makes another group, and a tenant sees only its own."""
    add_failed(records, "a")
    add_failed(records, "b", reason="other")
    add_failed(records, "c", sentence="another disk")
    add_failed(records, "d", endpoint="fal-ai/other/model")
    add_failed(records, "e", tenant="acme")
    assert 4 == len({group.id for group in failure_groups(records.redis, "default")})
    assert 1 == only(records, "acme").jobs
    assert failure_group(records.redis, only(records, "acme").id, "default") is None


@pytest.mark.parametrize(
    ("rendered", "to", "spent"),
    [(True, S.FAILED, "1.40"), (False, S.FAILED, "0"), (False, S.EXPIRED, "1.40")],
)
def test_money_counts_where_fal_may_have_rendered(
    records: JobStore, rendered: bool, to: JobState, spent: str
) -> None:
    """A failure at the render costs nothing; a job without a callback may have been billed."""
    add_failed(records, "a", rendered=rendered, to=to)
    assert Decimal(spent) == only(records).spent


def test_a_job_that_continues_leaves_its_group(records: JobStore) -> None:
    """A retry takes the job and its money out; the last one takes the group with it."""
    add_failed(records, "a")
    add_failed(records, "b")
    for job_id, left in (("a", Decimal("1.40")), ("b", None)):
        job = records.get(job_id)
        assert job is not None
        Retry(store=records).retry(job)
        found = failure_groups(records.redis, "default")
        assert left == (found[0].spent if found else None)
    assert [] == records.redis.keys("*:failed*")


def test_a_job_that_fails_again_is_in_its_new_group(records: JobStore) -> None:
    """It is counted once, where it failed last; the second render was not paid again."""
    add_failed(records, "a")
    job = records.get("a")
    assert job is not None
    Retry(store=records).retry(job)
    facts: dict[str, object] = {"reason": "other", "sentence": "again"}
    change(records, "a", S.FAILED, facts, [S.RENDERED])
    assert ("other", 1, Decimal("1.40")) == (
        only(records).reason,
        only(records).jobs,
        only(records).spent,
    )


def test_a_late_callback_takes_an_expired_job_out(records: JobStore) -> None:
    """A job whose result comes after its deadline has not failed."""
    add_failed(records, "a", rendered=False, to=S.EXPIRED)
    change(records, "a", S.RENDERED, {"payload": {}}, [S.EXPIRED])
    assert [] == list(failure_groups(records.redis, "default"))


def test_a_forgotten_job_leaves_its_group(records: JobStore) -> None:
    """What the archive has is counted no longer."""
    add_failed(records, "a")
    job = records.get("a")
    assert job is not None
    text = resources.files("worker.retention").joinpath("forget.lua").read_text()
    forget = records.redis.register_script(text)
    assert forget(keys=index_keys(job), args=["a", job.state, job.history])
    assert [] == list(failure_groups(records.redis, "default"))


def test_members_are_read_in_order_and_once(records: JobStore, clock: ManualClock) -> None:
    """Pages follow each other by time; those of one time are never torn apart."""
    for number in range(300):
        add_failed(records, f"job-{number}")
        if number % 10 == 9:
            clock.forward(1)
    group, seen = only(records), []
    for shard in range(64):
        after = 0.0
        while found := members(records.redis, group.id, shard, after=after, until=clock(), limit=2):
            seen += [job_id for job_id, _ in found]
            after = found[-1][1]
    assert sorted(f"job-{number}" for number in range(300)) == sorted(seen)


def test_texts_without_end_make_no_groups_without_end(records: JobStore) -> None:
    """Beyond a thousand groups of a shard, a reason is one group."""
    records.redis.hset("falhook:{00}:failed", mapping={f"{n:012x}": "{}" for n in range(1_000)})
    job_id = next(f"j{n}" for n in range(10_000) if _is_first_shard(f"j{n}"))
    add_failed(records, job_id, sentence="quite new")
    part = records.get(job_id)
    assert part is not None
    fresh = [n for n in records.redis.hkeys("falhook:{00}:failed") if int(n, 16) >= 1_000]
    assert 1 == len(fresh)
    assert '"message":""' in str(records.redis.hget("falhook:{00}:failed", fresh[0]))


def _is_first_shard(job_id: str) -> bool:
    return shard_of(job_id) == 0


@pytest.mark.parametrize(
    ("sentence", "message"),
    [
        ("took 12.5 s of 10", "took # s of #"),
        ("see https://fal.ai/x?y=1 now", "see … now"),
        ("request 01a22d88-bd3b-7077-9dc6-600044e9f3a1 is gone", "request … is gone"),
        ("two\nlines\tand \u202e more", "two lines and \\u202e more"),
        ("x" * 10_000, "x" * 160 + "…"),
    ],
)
def test_a_message_is_what_failures_have_in_common(sentence: str, message: str) -> None:
    """Numbers, ids and addresses differ between failures of one kind."""
    assert message == message_of(sentence)
