"""Lists of jobs over all shards: a page costs one round trip for ids and one for records."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import cast

from redis import Redis

from webhook.redis.clients import as_cluster
from webhook.shards import SHARDS, all_keys, shard_key
from worker.jobs import earlier_layout
from worker.jobs.filter import Filter, read_fields
from worker.jobs.job import Job, JobState, UnreadableRecord
from worker.jobs.places import decode, encode, indexes, places, unknown
from worker.jobs.store import JOBS, NAMED, job_key, tenant_index
from worker.jobs.tenant import DEFAULT

# Jobs of one page, where the caller does not say.
PAGE = 100


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
    tenant: str | None = None,
) -> Page:
    """Return a page of all jobs by creation, or of those in `state` by when they entered it.

    `since` is the earliest such time in Unix seconds. A job that moves between two pages is listed
    once at most, and the others keep their places. With a `tenant` only its jobs are listed; a page
    of the default tenant takes another round trip, and may be shorter than `limit` and still have
    a cursor. Raises ValueError for an unknown cursor.
    """
    before = decode(cursor) if cursor else None
    if cursor and before is None:
        raise unknown(cursor)
    listed = places(redis, indexes(state, tenant), limit=limit, before=before, since=since)
    ids = [job_id for _, job_id in listed]
    if tenant == DEFAULT:
        own = Filter(tenant=tenant)
        ids = [job_id for job_id, fields in read_fields(redis, ids).items() if own.owns(fields)]
    return Page(ids=ids, cursor=encode(listed[-1]) if len(listed) >= limit else "")


# Receives each record that cannot be read.
Unreadable = Callable[[UnreadableRecord], None]


def log_unreadable(record: UnreadableRecord) -> None:
    """Log that the record of a job cannot be read."""
    # Imported when there is one: every command that reads jobs imports this module.
    from webhook.log import get_logger  # noqa: PLC0415

    get_logger().error("record.unreadable", job=record.job_id, sentence=str(record))


def read(
    redis: Redis, job_ids: Sequence[str], *, unreadable: Unreadable = log_unreadable
) -> Sequence[Job]:
    """Return those of the jobs that have a record, in this order, in one round trip.

    One whose record cannot be read is left out and passed to `unreadable`.
    """
    records = _records(redis, map(job_key, job_ids))
    if not all(records):
        earlier = _records(redis, map(earlier_layout.job_key, job_ids))
        records = [record or old for record, old in zip(records, earlier, strict=True)]
    found = zip(job_ids, records, strict=True)
    jobs = (_decoded(job_id, record, unreadable) for job_id, record in found if record)
    return [job for job in jobs if job]


def _decoded(job_id: str, record: Mapping[str, str], unreadable: Unreadable) -> Job | None:
    try:
        return Job.decode(record)
    except UnreadableRecord as bad:
        unreadable(UnreadableRecord(job_id, bad.fault))
        return None


def _records(redis: Redis, keys: Iterable[str]) -> list[dict[str, str]]:
    with redis.pipeline(transaction=False) as calls:
        for key in keys:
            calls.hgetall(key)
        return cast(list[dict[str, str]], calls.execute())


def newest(
    redis: Redis,
    *,
    state: JobState | None = None,
    since: float = 0.0,
    limit: int | None = None,
    tenant: str | None = None,
    unreadable: Unreadable = log_unreadable,
) -> Iterator[Job]:
    """Yield the jobs of `page`, page by page, at most `limit`; `unreadable` as in `read`."""
    cursor, left = "", limit
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        found = page(redis, state=state, since=since, cursor=cursor, limit=size, tenant=tenant)
        yield from read(redis, found.ids, unreadable=unreadable)
        cursor = found.cursor
        if not cursor:
            return
        left = None if left is None else left - len(found.ids)


def has_jobs(redis: Redis) -> bool:
    """Return whether there is a job."""
    with redis.pipeline(transaction=False) as calls:
        for name in indexes(None):
            calls.exists(name)
        return any(calls.execute())


def count(
    redis: Redis, states: Iterable[JobState], tenant: str | None = None
) -> Mapping[JobState, int]:
    """Return how many jobs are in each of these states: all of them, or those of the tenant."""
    wanted = list(states)
    unnamed = tenant is None or tenant == DEFAULT
    rows = _cardinalities(redis, [_state_keys(shard, wanted, tenant) for shard in range(SHARDS)])
    with redis.pipeline(transaction=False) as calls:
        for state in wanted if unnamed else ():
            calls.zcard(f"falhook:{JOBS}:{state}")  # before there were shards
        for key in all_keys(NAMED) if tenant == DEFAULT else ():
            calls.hmget(key, wanted)
        answers = calls.execute()
    if unnamed:
        rows.append(answers[: len(wanted)])
        rows += [[-int(each or 0) for each in row] for row in answers[len(wanted) :]]
    # Never below 0: a job may move between two answers.
    return {
        state: max(0, sum(column))
        for state, column in zip(wanted, zip(*rows, strict=True), strict=True)
    }


# One command for a shard: a client takes longer for each than the server.
_CARDINALITIES = """
local numbers = {}
for at, key in ipairs(KEYS) do numbers[at] = redis.call('ZCARD', key) end
return numbers
"""


def _cardinalities(redis: Redis, rows: Sequence[Sequence[str]]) -> list[Sequence[int]]:
    """Return the cardinality of each sorted set; the keys of a row are of one shard."""
    with redis.pipeline(transaction=False) as calls:
        if as_cluster(redis) is None:
            for row in rows:
                calls.eval(_CARDINALITIES, len(row), *row)
            return calls.execute()
        for key in chain.from_iterable(rows):
            calls.zcard(key)  # a pipeline of several servers takes no scripts
        numbers = iter(calls.execute())
    return [[next(numbers) for _ in row] for row in rows]


def _state_keys(shard: int, states: Iterable[JobState], tenant: str | None) -> Sequence[str]:
    name = JOBS if tenant is None or tenant == DEFAULT else tenant_index(tenant)
    return [shard_key(shard, f"{name}:{state}") for state in states]
