"""The accounts and endpoints of fal at which submission is paused: worker/steps/account_pause.py.

Redis key: falhook:paused, sorted set: SCOPE that was ever refused → when it last was. Of these,
what is paused has a key of its own, so that nothing is shown as paused that goes on.
"""

from collections import Counter
from collections.abc import Mapping
from typing import cast

from redis import Redis

from worker.jobs.job import Job

REFUSED = "falhook:paused"
# Seconds after which a pause that nobody tried to end is forgotten.
KEPT = 30 * 86_400


def scopes(account: str, job: Job) -> tuple[str, str]:
    """Return the keys of the pauses that hold the job: of its account, of its endpoint alone."""
    shared = f"{REFUSED}:{{{account}}}"
    return shared, f"{shared}:{job.endpoint}"


def note_refused(redis: Redis, scope: str, *, now: float) -> None:
    """Have the scope be found; call it before it is paused."""
    redis.zadd(REFUSED, {scope: now})
    redis.zremrangebyscore(REFUSED, "-inf", now - KEPT)


def paused(redis: Redis) -> Mapping[str, int]:
    """Return how many accounts and how many endpoints are paused. Raises RedisError."""
    found = cast(list[str], redis.zrange(REFUSED, 0, -1))
    with redis.pipeline(transaction=False) as calls:
        for scope in found:
            calls.exists(scope)
        present = calls.execute()
    kinds = ("account" if each.endswith("}") else "endpoint" for each in found)
    counts = Counter(kind for kind, there in zip(kinds, present, strict=True) if there)
    return {kind: counts[kind] for kind in ("account", "endpoint")}
