"""What happened on a day (UTC), counted by the script that moves records.

Redis key, of each shard:

falhook:{2a}:day:20261130  hash, kept for 400 days:
    n|TENANT|ENDPOINT        clips that fal has rendered, one for each attempt
    usd|TENANT|ENDPOINT      the estimates of these in millionths of a dollar, where one is known
    end|TENANT|STATE|HOUR    jobs that ended so in this hour
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import cast

from redis import Redis

from webhook.shards import all_keys
from worker.jobs.job import FINAL, JobState

# States of which a day counts something when a job enters them.
COUNTED = FINAL | {JobState.RENDERED}
_MICRO = 1_000_000


def day_of(at: float) -> str:
    """Return the day of a time in Unix seconds, as the keys name it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y%m%d")


def hour_of(at: float) -> int:
    """Return the hour of the day (UTC) of a time in Unix seconds."""
    return datetime.fromtimestamp(at, UTC).hour


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What was rendered on a day for one tenant with one endpoint; `usd` are US dollars."""

    day: date
    tenant: str
    endpoint: str
    clips: int
    usd: Decimal


def spending(redis: Redis, *, until: float, days: int) -> Sequence[Spending]:
    """Return the spending of these days, the last of which is that of `until`, by day."""
    last = datetime.fromtimestamp(until, UTC).date()
    found: list[Spending] = []
    wanted = [last - timedelta(days=back) for back in reversed(range(days))]
    for day, counts in zip(wanted, _counts(redis, wanted), strict=True):
        for name in counts:
            kind, *who = name.split("|", 2)
            if kind == "n":
                usd = Decimal(counts["|".join(("usd", *who))]) / _MICRO
                tenant, endpoint = who
                found.append(
                    Spending(day=day, tenant=tenant, endpoint=endpoint, clips=counts[name], usd=usd)
                )
    return found


def ends(redis: Redis, *, until: float, tenant: str | None) -> Mapping[JobState, Sequence[int]]:
    """Return how many jobs ended in each of 24 hours, the last of which is that of `until`.

    Those of the tenant, or of all.
    """
    now = datetime.fromtimestamp(until, UTC)
    hours = [now - timedelta(hours=back) for back in reversed(range(24))]
    days = sorted({hour.date() for hour in hours})
    counts = dict(zip(days, _counts(redis, days), strict=True))
    return {
        state: [_ended(counts[hour.date()], tenant, f"{state}|{hour.hour}") for hour in hours]
        for state in FINAL
    }


def _ended(counts: Counter[str], tenant: str | None, what: str) -> int:
    if tenant is not None:
        return counts[f"end|{tenant}|{what}"]
    return sum(
        number
        for name, number in counts.items()
        if name.startswith("end|") and name.endswith(f"|{what}")
    )


def _counts(redis: Redis, days: Sequence[date]) -> Iterator[Counter[str]]:
    """Yield the counts of each day over all shards; what was not counted is 0."""
    keys = [all_keys(f"day:{day:%Y%m%d}") for day in days]
    with redis.pipeline(transaction=False) as calls:
        for key in (key for of_day in keys for key in of_day):
            calls.hgetall(key)
        answers = iter(cast(list[dict[str, str]], calls.execute()))
    for of_day in keys:
        total: Counter[str] = Counter()
        for _ in of_day:
            for name, value in next(answers).items():
                total[name] += int(value)
        yield total
