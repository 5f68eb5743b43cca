"""The limits of API keys: how many requests, for whom, and what the header fields say."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from api.operation import Rate
from api.rate_limits import (
    Allowance,
    Policy,
    RateLimits,
    header_fields,
    rate_limit,
    rate_limit_policy,
)
from tests.factories.redis_urls import deployment
from tests.faults.waiting import until
from worker.jobs.store import connect

KEY = "falhook:{keys}:limit:key1:create"
# So slow that no request comes back during a test; what a request costs is a number of hours.
SLOW = Policy(name=Rate.CREATE, rate=1 / 3600, burst=5)
HOUR = 3600.0


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """An empty Redis."""
    with connect(redis_url) as client:
        yield client


def limits(redis: Redis, policy: Policy = SLOW) -> RateLimits:
    """Limits of which creations have this policy."""
    made = RateLimits(redis)
    made.policies[policy.name] = policy
    return made


def create(limited: RateLimits, cost: int = 1, key_id: str = "key1") -> Allowance:
    """Count a creation."""
    return limited.check(key_id, Rate.CREATE, cost)


def pass_time(redis: Redis, seconds: float, *, clock: float = 0) -> None:
    """Let time pass since the last request, and set the clock of Redis forward by `clock`."""
    full, written = map(int, str(redis.get(KEY)).split())
    later = round((seconds + clock) * 1_000_000)
    redis.set(KEY, f"{full - later} {written - later}")


def test_a_burst_is_allowed_and_no_more(redis: Redis) -> None:
    """Each request is counted; the one that is refused is told when it would be allowed."""
    limited = limits(redis)
    allowances = [create(limited) for _ in range(7)]
    assert [True] * 5 + [False] * 2 == [each.allowed for each in allowances]
    assert [4, 3, 2, 1, 0, 0, 0] == [each.remaining for each in allowances]
    last = allowances[-1]
    assert (5 * HOUR, HOUR) == pytest.approx((last.reset_seconds, last.retry_after), abs=10)
    assert 0.0 == allowances[0].retry_after


def test_requests_come_back_evenly(redis: Redis) -> None:
    """After the time of one request, one is allowed; after that of all, all are."""
    limited = limits(redis)
    create(limited, 5)
    pass_time(redis, HOUR)
    assert [True, False] == [create(limited).allowed for _ in range(2)]
    pass_time(redis, 5 * HOUR)
    assert [True] * 5 + [False] == [create(limited).allowed for _ in range(6)]


@pytest.mark.parametrize("rate", [7, 30, 49.9, 0.3])
def test_remaining_counts_down_by_one(redis: Redis, rate: float) -> None:
    """Also if the time of a request is no whole number of microseconds."""
    limited = limits(redis, Policy(name=Rate.CREATE, rate=rate / 1000, burst=9))
    assert [*range(8, -1, -1), 0] == [create(limited).remaining for _ in range(10)]


def test_many_at_once(redis: Redis) -> None:
    """More than a burst is allowed with a full bucket only, and made up for afterwards."""
    limited = limits(redis)
    create(limited)
    early = create(limited, 12)
    assert (False, 4) == (early.allowed, early.remaining)
    assert pytest.approx(HOUR, abs=10) == early.retry_after
    pass_time(redis, HOUR)
    assert (True, 0) == (create(limited, 12).allowed, create(limited).remaining)
    waits = create(limited)
    assert (False, False) == (waits.allowed, create(limited, 12).allowed)
    assert pytest.approx(8 * HOUR, abs=10) == waits.retry_after


@pytest.mark.parametrize("step", [-HOUR, -1000 * HOUR])
def test_a_clock_that_is_set_back_delays_nobody(redis: Redis, step: float) -> None:
    """The bucket is as full as it was: after a failover, or a correction of the clock."""
    limited = limits(redis)
    create(limited, 3)
    pass_time(redis, 0, clock=step)
    allowance = create(limited)
    assert (True, 1) == (allowance.allowed, allowance.remaining)


def test_keys_and_kinds_do_not_share_a_limit(redis: Redis) -> None:
    """Who has used up the creations of one key may still read, and others may still create."""
    limited = limits(redis)
    create(limited, 5)
    assert (False, True) == (create(limited).allowed, create(limited, key_id="key2").allowed)
    assert limited.check("key1", Rate.READ).allowed


def test_processes_share_a_limit(redis: Redis) -> None:
    """Requests at the same time, of several processes, get exactly one burst."""
    policy = replace(SLOW, burst=100)
    processes = [limits(redis, policy) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        allowed = list(pool.map(lambda n: create(processes[n % 4]).allowed, range(300)))
    assert 100 == sum(allowed)


def test_a_check_is_one_command(redis: Redis) -> None:
    """Creations must stay cheap: one round trip each."""
    limited = limits(redis)
    create(limited)
    redis.config_resetstat()
    for _ in range(10):
        create(limited)
    counted = {name: entry["calls"] for name, entry in redis.info("commandstats").items()}
    # The script itself calls the others; SET only if the request is allowed.
    expected = {"cmdstat_eval": 10, "cmdstat_time": 10, "cmdstat_get": 10, "cmdstat_set": 4}
    assert expected == {name: n for name, n in counted.items() if "config" not in name}


def test_a_check_waits_for_no_disk(redis: Redis) -> None:
    """Redis syncs its file before it answers a write; it does not write that a request came.

    Nor does it write that the bucket is full again.
    """
    fast = Policy(name=Rate.CREATE, rate=1000, burst=5)
    limited = limits(redis, fast)
    before = redis.info("persistence")["aof_current_size"]
    assert [True] * 5 == [create(limited).allowed for _ in range(5)]
    until(lambda: create(limited).remaining == fast.burst - 1, "the bucket is full again", 20)
    assert before == redis.info("persistence")["aof_current_size"] > 0


def test_a_redis_without_writes_limits_nobody(redis: Redis) -> None:
    """Who reads jobs is not refused because a request cannot be counted."""
    redis.config_set("min-replicas-to-write", 1)
    try:
        assert {True} == {create(limits(redis)).allowed for _ in range(6)}
    finally:
        redis.config_set("min-replicas-to-write", 0)


def test_nothing_is_kept_of_a_full_bucket(redis: Redis) -> None:
    """Redis forgets a limit a minute after all of its requests have come back."""
    create(limits(redis), 2)
    assert pytest.approx((2 * HOUR + 60) * 1000, abs=20_000) == redis.pttl(KEY)


def test_a_cluster(tmp_path: Path) -> None:
    """The script works in a Redis Cluster."""
    with deployment("cluster", tmp_path) as url, connect(url) as client:
        limited = limits(client)
        assert [True] * 5 + [False] == [create(limited).allowed for _ in range(6)]


def test_rates_make_policies(redis: Redis) -> None:
    """A second creation window of 2 s, a reading one of 10 s; a slow limit still allows one."""
    made = RateLimits(redis, create=50, read=20).policies
    assert [(50, 100), (20, 200)] == [(made[rate].rate, made[rate].burst) for rate in Rate]
    assert 1 == Policy.of(Rate.CREATE, 0.1).burst


CREATE = Policy(name=Rate.CREATE, rate=50, burst=100)


def allowance(*, allowed: bool = True, remaining: int = 50, retry_after: float = 0) -> Allowance:
    """What became of a creation."""
    return Allowance(
        policy=CREATE,
        allowed=allowed,
        remaining=remaining,
        reset_seconds=29.2,
        retry_after=retry_after,
    )


def test_the_fields_of_the_draft() -> None:
    """Both are lists of structured fields with whole numbers; seconds are rounded up."""
    assert '"create";q=100;w=2' == rate_limit_policy(CREATE)
    assert '"create";q=1;w=10' == rate_limit_policy(Policy.of(Rate.CREATE, 0.1))
    assert '"create";r=50;t=30' == rate_limit(allowance())


def test_only_a_refusal_has_retry_after() -> None:
    """It is at least a second, and never earlier than the request would be allowed."""
    refused = header_fields(allowance(allowed=False, remaining=0, retry_after=0.02))
    assert ["RateLimit-Policy", "RateLimit"] == list(header_fields(allowance()))
    assert ("1", '"create";r=0;t=30') == (refused["Retry-After"], refused["RateLimit"])
    later = header_fields(allowance(allowed=False, retry_after=3.2))
    assert "4" == later["Retry-After"]
