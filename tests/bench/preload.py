"""Records of jobs that ended long ago, written as a published job left them.

The template is a real one: every key that names the job is copied, with its id and its times
replaced. Nothing but its hash and its places in two indexes names a published job.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
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
# Stands for the time of a job in the packed command; as long as one.
_AT = b"0000000000.000000"
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
    packed = _Packed(connection.pack_command, record)
    try:
        for first in range(0, count, _BATCH):
            numbers = range(first, min(first + _BATCH, count))
            jobs = {f"{number:016d}": now - _APART * (count - number) for number in numbers}
            indexes = list(_indexes(jobs))
            records = b"".join(packed.record(*job) for job in jobs.items())
            connection.send_packed_command([records, *connection.pack_commands(indexes)])
            for _ in range(len(jobs) + len(indexes)):
                connection.read_response()
    finally:
        redis.connection_pool.release(connection)


class _Packed:
    """The command that writes a record, packed once: to pack a million takes minutes."""

    def __init__(self, pack: Callable[..., Iterable[bytes]], record: Mapping[bytes, bytes]) -> None:
        times = dict.fromkeys((b"created_at", b"updated_at"), _AT)
        fields = (part for field in {**record, **times}.items() for part in field)
        key = job_key(TEMPLATE).encode()
        self._shard = key[: -len(TEMPLATE)]
        self._command = b"".join(pack("HSET", key, *fields))

    def record(self, job_id: str, at: float) -> bytes:
        """Return the command for a job that ended at this time."""
        # Each replacement is as long as what it replaces: the packed lengths stay true.
        shard = job_key(job_id).encode()[: -len(job_id)]
        own = self._command.replace(self._shard, shard).replace(_AT, f"{at:.6f}".encode())
        return own.replace(TEMPLATE.encode(), job_id.encode())


def _indexes(jobs: Mapping[str, float]) -> Iterator[_Command]:
    shards: defaultdict[int, list[str | float]] = defaultdict(list)
    for job_id, at in jobs.items():
        shards[shard_of(job_id)] += (at, job_id)
    for shard, members in shards.items():
        for name in _INDEXES:
            yield "ZADD", shard_key(shard, name), *members
