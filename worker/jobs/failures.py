"""Groups of jobs that failed or expired alike, counted by the scripts that move and forget records.

Redis keys, of each shard:

falhook:{2a}:failed      hash: id of a group → JSON: tenant, endpoint, reason, message, how many
                         jobs are in it (n), their millionths of a dollar (usd), when the first one
                         and the latest one entered it (first, last), and that one (job)
falhook:{2a}:failed:ID   sorted set: job → when it entered the group

A record's field `failure` names its group, and what it has added to the group's money: the estimate
of a clip that fal has rendered, or may have rendered without a callback. Jobs that had failed
before there were groups are in none.
"""

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Self, cast

from redis import Redis

from webhook.shards import SHARDS, all_keys, shard_key
from worker.jobs.job import JobState
from worker.text import shorten

FAILED = "failed"
GROUPED = frozenset({JobState.FAILED, JobState.EXPIRED})
_MICRO = 1_000_000
_LONGEST = 160
# What differs between failures of one kind.
_ADDRESS = re.compile(r"https?://\S+")
_ID = re.compile(r"\b(?=[a-z]*[0-9])[0-9a-z]{8,}(?:-[0-9a-z]+)*\b", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_GROUP = re.compile(r"[0-9a-f]{12}")


def message_of(sentence: str) -> str:
    """Return what failures of one kind have in common: without addresses, ids and numbers."""
    text = _ADDRESS.sub("…", sentence[: 4 * _LONGEST])
    return shorten(" ".join(_NUMBER.sub("#", _ID.sub("…", text)).split()), _LONGEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureGroup:
    """Jobs that failed alike; times are Unix seconds, `spent` is US dollars."""

    id: str
    tenant: str
    endpoint: str
    reason: str
    message: str
    jobs: int
    spent: Decimal
    first: float
    last: float
    sample: str

    @classmethod
    def read(cls, group_id: str, parts: Sequence[str]) -> Self:
        """Return the group of what each shard has of it."""
        counted = [json.loads(part) for part in parts]
        latest = max(counted, key=lambda part: float(part["last"]))
        return cls(
            id=group_id,
            tenant=latest["tenant"],
            endpoint=latest["endpoint"],
            reason=latest["reason"],
            message=latest["message"],
            jobs=sum(int(part["n"]) for part in counted),
            spent=Decimal(sum(int(part["usd"]) for part in counted)) / _MICRO,
            first=min(float(part["first"]) for part in counted),
            last=float(latest["last"]),
            sample=latest["job"],
        )


def failure_groups(redis: Redis, tenant: str) -> Sequence[FailureGroup]:
    """Return the groups of a tenant, that with the most jobs first."""
    parts: defaultdict[str, list[str]] = defaultdict(list)
    with redis.pipeline(transaction=False) as calls:
        for key in all_keys(FAILED):
            calls.hgetall(key)
        for answer in cast(list[dict[str, str]], calls.execute()):
            for group_id, part in answer.items():
                parts[group_id].append(part)
    groups = (FailureGroup.read(group_id, found) for group_id, found in parts.items())
    own = [group for group in groups if group.tenant == tenant]
    return sorted(own, key=lambda group: (-group.jobs, group.id))


def failure_group(redis: Redis, group_id: str, tenant: str) -> FailureGroup | None:
    """Return the tenant's group with this id; None if it has no jobs."""
    if _GROUP.fullmatch(group_id) is None:
        return None
    with redis.pipeline(transaction=False) as calls:
        for key in all_keys(FAILED):
            calls.hget(key, group_id)
        parts = [part for part in cast(list[str | None], calls.execute()) if part]
    group = FailureGroup.read(group_id, parts) if parts else None
    return group if group and group.tenant == tenant else None


def members(
    redis: Redis, group_id: str, shard: int, *, after: float, until: float, limit: int
) -> Sequence[tuple[str, float]]:
    """Return jobs of a group in one shard, and when each entered it: after `after`, up to `until`.

    Those of one time are returned together, so there may be more than `limit`.
    """
    key = f"{shard_key(shard, FAILED)}:{group_id}"
    found = cast(
        list[tuple[str, float]],
        redis.zrangebyscore(key, f"({after!r}", until, start=0, num=limit, withscores=True),
    )
    if len(found) < limit:
        return found
    last = found[-1][1]
    alike = cast(list[tuple[str, float]], redis.zrangebyscore(key, last, last, withscores=True))
    return [each for each in found if each[1] < last] + alike


def first_members(redis: Redis, group_id: str, limit: int) -> Sequence[str]:
    """Return ids of jobs of a group over all shards, at most `limit`, those of the latest first."""
    with redis.pipeline(transaction=False) as calls:
        for shard in range(SHARDS):
            key = f"{shard_key(shard, FAILED)}:{group_id}"
            calls.zrevrange(key, 0, limit - 1, withscores=True)
        answers = cast(list[list[tuple[str, float]]], calls.execute())
    merged = sorted((each for answer in answers for each in answer), key=lambda each: -each[1])
    return [job_id for job_id, _ in merged[:limit]]
