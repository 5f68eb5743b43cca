"""Lists of jobs over all shards: a page costs one round trip for ids and one for records."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from redis import Redis

from webhook.shards import all_keys
from worker.jobs import earlier_layout
from worker.jobs.job import Job, JobState
from worker.jobs.store import JOBS, job_key

# Jobs of one page, where the caller does not say.
PAGE = 100

_Scored = tuple[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Ids of jobs, the newest first; `cursor` leads to the next page, "" after the last one."""

    ids: Sequence[str]
    cursor: str


def page(
    redis: Redis,
    *,
    state: JobState | None = None,
    since: float = 0.0,
    cursor: str = "",
    limit: int = PAGE,
) -> Page:
    """Return a page of all jobs by creation, or of those in `state` by when they entered it.

    `since` is the earliest such time in Unix seconds. A job that moves between two pages is listed
    once at most, and the others keep their places. Raises ValueError for an unknown cursor.
    """
    names = _indexes(state)
    last = _last(cursor)
    with redis.pipeline(transaction=False) as calls:
        for name in names:
            # Jobs of one instant are ordered by id, so all of them are read.
            if last is not None:
                calls.zrangebyscore(name, last[1], last[1], withscores=True)
            top = "+inf" if last is None else f"({last[1]!r}"
            calls.zrevrangebyscore(name, top, since, start=0, num=limit, withscores=True)
        answers = cast(list[list[_Scored]], calls.execute())
    found = sorted({each for answer in answers for each in answer}, key=_order, reverse=True)
    later = [each for each in found if last is None or _order(each) < _order(last)]
    listed = later[:limit]
    more = len(later) >= limit
    return Page(ids=[job_id for job_id, _ in listed], cursor=_cursor(listed[-1]) if more else "")


def read(redis: Redis, job_ids: Sequence[str]) -> Sequence[Job]:
    """Return those of the jobs that have a record, in this order, in one round trip."""
    records = _records(redis, map(job_key, job_ids))
    if not all(records):
        earlier = _records(redis, map(earlier_layout.job_key, job_ids))
        records = [record or old for record, old in zip(records, earlier, strict=True)]
    return [Job.decode(record) for record in records if record]


def _records(redis: Redis, keys: Iterable[str]) -> list[dict[str, str]]:
    with redis.pipeline(transaction=False) as calls:
        for key in keys:
            calls.hgetall(key)
        return cast(list[dict[str, str]], calls.execute())


def newest(
    redis: Redis, *, state: JobState | None = None, since: float = 0.0, limit: int | None = None
) -> Iterator[Job]:
    """Yield the jobs of `page`, page by page, at most `limit`."""
    cursor, left = "", limit
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        found = page(redis, state=state, since=since, cursor=cursor, limit=size)
        yield from read(redis, found.ids)
        cursor = found.cursor
        if not cursor:
            return
        left = None if left is None else left - size


def has_jobs(redis: Redis) -> bool:
    """Return whether there is a job."""
    with redis.pipeline(transaction=False) as calls:
        for name in _indexes(None):
            calls.exists(name)
        return any(calls.execute())


def count(redis: Redis, states: Iterable[JobState]) -> Mapping[JobState, int]:
    """Return how many jobs are in each of these states."""
    wanted = list(states)
    with redis.pipeline(transaction=False) as calls:
        for state in wanted:
            for name in _indexes(state):
                calls.zcard(name)
        numbers = iter(cast(list[int], calls.execute()))
    return {state: sum(next(numbers) for _ in _indexes(state)) for state in wanted}


def _indexes(state: JobState | None) -> Sequence[str]:
    """Return the keys of the sorted sets of these jobs, and the one before there were shards."""
    name = f"{JOBS}:{state}" if state else JOBS
    return [*all_keys(name), f"falhook:{name}"]


def _order(job: _Scored) -> tuple[float, str]:
    return job[1], job[0]


def _cursor(job: _Scored) -> str:
    return f"{job[1]!r}:{job[0]}"


def _last(cursor: str) -> _Scored | None:
    if not cursor:
        return None
    score, _, job_id = cursor.partition(":")
    try:
        return job_id, float(score)
    except ValueError:
        raise ValueError(f"{cursor!r} is not a cursor that a list returned") from None
