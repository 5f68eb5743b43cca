"""Records of jobs that ended long ago, written as a published job left them.

The template is a real one: every key that names the job is copied, with its id and its times
replaced. Nothing but its hash and its places in two indexes names a published job.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, cast

from redis import Redis

from webhook.shards import shard_key, shard_of
from worker.jobs.job import JobState
from worker.jobs.store import JOBS, job_key

# As long as the ids that preloaded jobs get.
TEMPLATE = "template00000000"
_BATCH = 1_000
# Seconds from one job to the next: a million of them end within ten days, and none is archived.
_APART = 0.8
_INDEXES = (JOBS, f"{JOBS}:{JobState.PUBLISHED}")
_Command = tuple[bytes | str | float, ...]


class UnknownKeys(Exception):
    """A published job is in keys that are not copied."""


def template(redis: Redis) -> Mapping[bytes, bytes]:
    """Return the record of the published job TEMPLATE; `redis` must not decode responses.

    Raises UnknownKeys if the job is in other keys than those that `preload` writes.
    """
    own = {key.decode() for key in redis.scan_iter(f"*{TEMPLATE}*", count=1_000)}
    sets = {
        key.decode()
        for key in redis.scan_iter(count=1_000)
        if redis.type(key) == b"zset" and redis.zscore(key, TEMPLATE) is not None
    }
    shard = shard_of(TEMPLATE)
    known = {job_key(TEMPLATE), *(shard_key(shard, name) for name in _INDEXES)}
    if unknown := (own | sets) - known:
        raise UnknownKeys(f"{TEMPLATE} is in {', '.join(sorted(unknown))}, which are not copied")
    return cast(dict[bytes, bytes], redis.hgetall(job_key(TEMPLATE)))


def preload(redis: Redis, record: Mapping[bytes, bytes], count: int, *, now: float) -> None:
    """Write `count` jobs like the template; the last one ended just before `now`, Unix seconds."""
    connection: Any = redis.connection_pool.get_connection()
    try:
        for first in range(0, count, _BATCH):
            numbers = range(first, min(first + _BATCH, count))
            jobs = {f"{number:016d}": now - _APART * (count - number) for number in numbers}
            commands = [*_records(record, jobs), *_indexes(jobs)]
            connection.send_packed_command(connection.pack_commands(commands))
            for _ in commands:
                connection.read_response()
    finally:
        redis.connection_pool.release(connection)


def _records(record: Mapping[bytes, bytes], jobs: Mapping[str, float]) -> Iterator[_Command]:
    for job_id, at in jobs.items():
        own = {
            field: value.replace(TEMPLATE.encode(), job_id.encode())
            for field, value in record.items()
        }
        own |= dict.fromkeys((b"created_at", b"updated_at"), f"{at:.6f}".encode())
        yield "HSET", job_key(job_id), *(part for field in own.items() for part in field)


def _indexes(jobs: Mapping[str, float]) -> Iterator[_Command]:
    shards: defaultdict[int, list[str | float]] = defaultdict(list)
    for job_id, at in jobs.items():
        shards[shard_of(job_id)] += (at, job_id)
    for shard, members in shards.items():
        for name in _INDEXES:
            yield "ZADD", shard_key(shard, name), *members
