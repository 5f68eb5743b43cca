"""The figures of all shards together, read from Redis in a few round trips."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from redis import Redis

from webhook.contract import INBOX
from webhook.redis.clients import as_cluster
from webhook.shards import all_keys
from worker.jobs.counts import COUNTS
from worker.jobs.job import FINAL, JobState
from worker.jobs.listing import count
from worker.jobs.oldest import oldest
from worker.jobs.paused_accounts import paused
from worker.jobs.store import OWED, TIMERS
from worker.notifications.dead import Dead, dead_deliveries

# Seconds by which a sweep may be late.
LATE = 30.0
# Names that are shown of each kind of count that has names of others; the rest count as another.
MOST = {"end": 1_000, "usd": 100}
_PER_SHARD = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What all shards say together; times are Unix seconds.

    `counts` has the fields of worker/jobs/counts.py.
    """

    at: float
    counts: Mapping[str, int]
    jobs: Mapping[JobState, int]
    oldest: Mapping[JobState, float]
    overdue: int
    inbox: int
    owed: int
    oldest_owed: float | None
    skew: float
    memory: int
    memory_limit: int
    unsaved: bool
    dead: Dead
    paused: Mapping[str, int]


def fold(redis: Redis, clock: Callable[[], float] = time.time) -> Figures:
    """Return the present figures. Raises RedisError if Redis is away."""
    now = clock()
    counts, overdue, inbox, owed, first_owed = _of_shards(redis, now)
    servers = _servers(redis)
    used, limit = max((_memory(server) for server in servers), key=lambda each: each[0] / each[1])
    return Figures(
        at=now,
        counts=_folded(counts),
        jobs=count(redis, JobState),
        oldest=oldest(redis, [state for state in JobState if state not in FINAL], None),
        overdue=sum(overdue),
        inbox=sum(inbox),
        owed=sum(owed),
        oldest_owed=min((at for each in first_owed for _, at in each), default=None),
        skew=_skew(servers[0], clock),
        memory=used,
        memory_limit=limit,
        unsaved=any(map(_unsaved, servers)),
        dead=dead_deliveries(redis, now=now),
        paused=paused(redis),
    )


def _of_shards(redis: Redis, now: float) -> tuple[Any, Any, Any, Any, Any]:
    """Return for each shard its counts, and numbers of timers, callbacks and owed events."""
    with redis.pipeline(transaction=False) as calls:
        names = (COUNTS, TIMERS, INBOX, OWED)
        for counts, timers, inbox, owed in zip(*map(all_keys, names), strict=True):
            calls.hgetall(counts)
            calls.zcount(timers, "-inf", now - LATE)
            calls.zcard(inbox)
            calls.zcard(owed)
            calls.zrange(owed, 0, 0, withscores=True)
        answers = calls.execute()
    counted, overdue, pending, waiting, first = (
        answers[part::_PER_SHARD] for part in range(_PER_SHARD)
    )
    return counted, overdue, pending, waiting, first


def _folded(shards: Sequence[Mapping[str, str]]) -> Mapping[str, int]:
    """Return the sums of all fields; of those with names, the ones that most shards have."""
    found = Counter(field for shard in shards for field in shard)
    shown = {kind: _first(found, kind, most) for kind, most in MOST.items()}
    total: Counter[str] = Counter()
    for shard in shards:
        for field, value in shard.items():
            kind = field.partition("|")[0]
            named = kind in shown and field not in shown[kind]
            total[_another(field) if named else field] += int(value)
    return total


def _first(found: Mapping[str, int], kind: str, most: int) -> frozenset[str]:
    # The number of shards that have a field only grows: what is shown changes rarely, if at all.
    fields = (field for field in found if field.startswith(f"{kind}|"))
    return frozenset(sorted(fields, key=lambda field: (-found[field], field))[:most])


def _another(field: str) -> str:
    kind, _, *rest = field.split("|")
    return "|".join([kind, "other", rest[0], "other"] if kind == "end" else [kind, "other", *rest])


def _servers(redis: Redis) -> Sequence[Redis]:
    """Return the server, or the primaries of a cluster."""
    if (cluster := as_cluster(redis)) is None:
        return [redis]
    nodes: Iterable[Any] = cluster.get_primaries()  # type: ignore[no-untyped-call]
    return [cluster.get_redis_connection(node) for node in nodes]


def _skew(server: Redis, clock: Callable[[], float]) -> float:
    """Return the seconds by which our clock is ahead of the server's."""
    before = clock()
    seconds, micros = server.time()
    return (before + clock()) / 2 - (seconds + micros / 1_000_000)


def _memory(server: Redis) -> tuple[int, int]:
    """Return the bytes that the server uses, and those that it may use."""
    found = cast(Mapping[str, int], server.info("memory"))
    limit = found["maxmemory"] or found.get("total_system_memory", 0)
    return found["used_memory"], limit or found["used_memory"]


def _unsaved(server: Redis) -> bool:
    found = cast(Mapping[str, Any], server.info("persistence"))
    saved = found.get("aof_last_write_status"), found.get("rdb_last_bgsave_status")
    return not found.get("aof_enabled") or saved != ("ok", "ok")
