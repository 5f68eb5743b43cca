"""Places of jobs in the indexes of all shards, merged into one order, the newest first."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

from redis import Redis

from webhook.contract import JOB_ID
from webhook.shards import SHARDS, all_keys
from worker.jobs.job import JobState
from worker.jobs.store import JOBS, tenant_index
from worker.jobs.tenant import DEFAULT
from worker.text import shorten

# Ids that are read of each index beyond its share: the newest are not spread evenly.
_SPARE = 10
_LONGEST_SHOWN = 80
# In place of an id: behind every job of the same time.
NO_ID = ""

# The time by which a job is listed, and its id.
Place: TypeAlias = tuple[float, str]


def indexes(state: JobState | None, tenant: str | None = None) -> Sequence[str]:
    """Return the keys of the sorted sets of these jobs, and the one before there were shards.

    The default tenant has no indexes of its own: its jobs are among all jobs.
    """
    end = f":{state}" if state else ""
    if tenant is None or tenant == DEFAULT:
        return [*all_keys(JOBS + end), f"falhook:{JOBS}{end}"]
    return all_keys(tenant_index(tenant) + end)


def places(
    redis: Redis, names: Sequence[str], *, limit: int, before: Place | None, since: float = 0.0
) -> Sequence[Place]:
    """Return the next places of these indexes together; fewer than `limit` only at the end.

    Each index is asked for little more than its share, in one round trip. There are more of them if
    the newest jobs are in few shards, as those with chosen ids may be.
    """
    found: list[Place] = []
    share = math.ceil(limit / SHARDS) + _SPARE
    while len(found) < limit:
        chunk = _chunk(redis, names, share, found[-1] if found else before, since)
        found += chunk.places
        if chunk.last:
            break
        share *= 2
    return found[:limit]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chunk:
    """Places between which no index has another; `last` if none has one after them."""

    places: Sequence[Place]
    last: bool


def _chunk(
    redis: Redis, names: Sequence[str], share: int, before: Place | None, since: float
) -> _Chunk:
    with redis.pipeline(transaction=False) as calls:
        for name in names:
            # Jobs of one time are ordered by id, so all of them are read.
            if before is not None:
                calls.zrangebyscore(name, before[0], before[0], withscores=True)
            top = "+inf" if before is None else f"({before[0]!r}"
            calls.zrevrangebyscore(name, top, since, start=0, num=share, withscores=True)
        answers = cast(list[list[tuple[str, float]]], calls.execute())
    found = [[(time, job_id) for job_id, time in answer] for answer in answers]
    # Behind the last place of an index that was not read to its end, it may have others.
    read = found if before is None else found[1::2]
    end = max((part[-1] for part in read if len(part) >= share), default=None)
    merged = sorted({place for part in found for place in part}, reverse=True)
    listed = [
        place
        for place in merged
        if (before is None or place < before) and (end is None or place >= end)
    ]
    return _Chunk(places=listed, last=end is None)


def encode(place: Place) -> str:
    """Return the place as text."""
    return f"{place[0]!r}:{place[1]}"


def decode(text: str) -> Place | None:
    """Return the place that `encode` wrote; None for another text."""
    time, colon, job_id = text.partition(":")
    try:
        at = float(time)
    except ValueError:
        return None
    known = math.isfinite(at) and colon and (job_id == NO_ID or JOB_ID.fullmatch(job_id))
    return (at, job_id) if known else None


def unknown(cursor: str) -> ValueError:
    """Return the error about a cursor that does not stand for a place."""
    return ValueError(f"{shorten(cursor, _LONGEST_SHOWN)!r} is not a cursor that a list returned")
