"""What a day counts: renders with their estimates, once for each attempt, and ends by hour."""

from decimal import Decimal

from tests.factories.failed_jobs import add_failed, change
from tests.factories.world import ENDPOINT, ManualClock
from worker.jobs.days import ends, spending
from worker.jobs.job import JobState
from worker.jobs.store import JobStore
from worker.operations.retry import Retry

S = JobState


def test_each_render_counts_once(records: JobStore, clock: ManualClock) -> None:
    """A retry of what is stored pays nothing; a new attempt that is rendered does."""
    add_failed(records, "a")
    job = records.get("a")
    assert job is not None
    Retry(store=records).retry(job)
    [one] = spending(records.redis, until=clock(), days=1)
    assert ("default", ENDPOINT, 1, Decimal("1.40")) == (
        one.tenant,
        one.endpoint,
        one.clips,
        one.usd,
    )
    change(records, "a", S.FAILED, {"reason": "gone"}, [S.RENDERED])
    change(records, "a", S.QUEUED, {"attempt": 2, "payload": None}, [S.FAILED])
    change(records, "a", S.RENDERED, {"payload": {}}, [S.QUEUED])
    [one] = spending(records.redis, until=clock(), days=1)
    assert (2, Decimal("2.80")) == (one.clips, one.usd)


def test_days_and_tenants_are_told_apart(records: JobStore, clock: ManualClock) -> None:
    """Each day has its own, and what failed at the render is in none."""
    add_failed(records, "a")
    add_failed(records, "b", tenant="acme")
    add_failed(records, "c", rendered=False)
    clock.forward(86_400)
    add_failed(records, "d")
    found = spending(records.redis, until=clock(), days=2)
    days = sorted({each.day for each in found})
    assert 2 == len(days)
    assert [(days[0], "acme"), (days[0], "default"), (days[1], "default")] == sorted(
        (each.day, each.tenant) for each in found
    )
    assert [] == list(spending(records.redis, until=clock() - 5 * 86_400, days=2))


def test_ends_are_counted_by_hour(records: JobStore, clock: ManualClock) -> None:
    """The last of 24 hours is the present one, across midnight too."""
    for hours in (0, 1, 22):
        clock.forward(3600 * hours)
        add_failed(records, f"job-{hours}")
    numbers = ends(records.redis, until=clock(), tenant="default")
    assert [1, 1] + [0] * 21 + [1] == list(numbers[S.FAILED])
    assert 0 == sum(numbers[S.PUBLISHED])
    assert 0 == sum(sum(each) for each in ends(records.redis, until=clock(), tenant="x").values())


def test_counts_are_forgotten(records: JobStore, clock: ManualClock) -> None:
    """A day is kept for 400 days."""
    add_failed(records, "a")
    [key] = records.redis.keys("falhook:*:day:*")
    assert 399 * 86_400 < records.redis.ttl(key) <= 400 * 86_400
