"""The deliveries that are dead now, counted over all endpoints: no sample, and no estimate.

The scripts that end a delivery, or put it back, keep the set of the dead of its endpoint with it:
worker/notifications/lanes.py. Those that died under an earlier version are not in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from redis import Redis

from worker.notifications.endpoint import endpoint_key
from worker.notifications.endpoints import all_endpoints
from worker.notifications.schedule import DEAD_KEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """How many are dead, and when the last one died, in Unix seconds; None without one."""

    number: int
    last: float | None


def dead_deliveries(redis: Redis, *, now: float) -> Dead:
    """Return those that can be re-sent, in three round trips. Raises RedisError."""
    return dead_of(redis, all_endpoints(redis), now=now)


def dead_of(redis: Redis, endpoints: Sequence[str], *, now: float) -> Dead:
    """Return those of these endpoints. Raises RedisError."""
    with redis.pipeline(transaction=False) as calls:
        for key in (endpoint_key(each, "dead") for each in endpoints):
            calls.zcount(key, f"({now - DEAD_KEPT}", "+inf")
            calls.zrange(key, -1, -1, withscores=True)
        answers = calls.execute()
    latest = cast(list[list[tuple[str, float]]], answers[1::2])
    last = max((at for each in latest for _, at in each), default=None)
    number = sum(cast(list[int], answers[::2]))
    return Dead(number=number, last=last if number else None)
