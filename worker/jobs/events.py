"""The streams of events, one for each shard, appended by the script that changes the records.

Each event has `id`, `at` (Unix seconds), `name`, `from` and `to` (equal if the state did not
change), and fields that depend on the name: `step`, `reason`, `sentence`, `attempt`, `fraction` and
others, all text. `job` is the older name of `id`. A change of state has `metadata`, if
FALHOOK_EVENT_METADATA names some; a publication has `manifest` and `files`, a JSON list of
addresses. docs/usage.md documents the streams.

One read of the streams of several shards is refused by a Redis Cluster, so a follower waits for
their bells, which ring when a job moves, and reads the streams that rang. Every second it reads all
of them: a lost ring costs a second, never an event.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias, cast

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from webhook.shards import SHARDS, key_of, shard_key, shard_of
from worker.jobs.bells import Bells
from worker.jobs.change import Event
from worker.jobs.job import Job
from worker.jobs.store import EVENTS, JobStore, job_key

# Seconds after which all streams are read, whether a bell rang or not.
SILENCE = 1.0
# Entries of one stream that are read at a time.
_READ = 100

_Entry: TypeAlias = tuple[str, Event]


def read_followed(store: JobStore, job_id: str) -> tuple[Job | None, str]:
    """Return the job, and the id of the newest entry of its shard's stream at that moment.

    Pass the id to `follow`, so that no event is missing or doubled between the two.
    """
    with store.redis.pipeline(transaction=True) as calls:
        calls.hgetall(job_key(job_id))
        calls.xrevrange(key_of(job_id, EVENTS), count=1)
        record, entries = cast(tuple[dict[str, str], list[_Entry]], calls.execute())
    job = Job.decode(record) if record else store.get(job_id)
    return job, entries[0][0] if entries else "0-0"


def follow(
    redis: Redis,
    job_ids: Sequence[str] = (),
    *,
    since: str | Mapping[str, str] = "$",
    patience: float = 0.0,
    away: Callable[[Exception], object] = lambda _error: None,
) -> Iterator[Event | None]:
    """Yield events of some jobs or of all as they arrive, those of one job in their order.

    `since` is "0" for all that are kept, "$" for those to come, or for each job the id of the entry
    after which it is followed.

    Yields None if nothing arrived for a second, so that the reader can draw, look up or stop. If
    Redis becomes unavailable, `away` is called once, and after `patience` seconds its error is
    raised; if Redis is back before, no event is missing.
    """
    shards = sorted({shard_of(job_id) for job_id in job_ids}) or range(SHARDS)
    streams = _Streams(redis, frozenset(job_ids), shards, since)
    lost: float | None = None
    silence = time.monotonic() + SILENCE
    with Bells(redis, shards) as bells:
        while True:
            try:
                rung = bells.wait(0.0 if streams.unread else silence - time.monotonic())
                events = streams.read(rung | streams.unread or shards)
            except (RedisConnectionError, RedisTimeoutError) as error:
                if lost is None:
                    lost = time.monotonic()
                    away(error)
                if time.monotonic() - lost >= patience:
                    raise
                time.sleep(SILENCE)
                continue
            lost = None
            yield from events
            if events:
                silence = time.monotonic() + SILENCE
            elif time.monotonic() >= silence:
                silence = time.monotonic() + SILENCE
                yield None


class _Streams:
    """The streams of some shards, each read from where it was left; `unread` ones have more."""

    def __init__(
        self,
        redis: Redis,
        job_ids: frozenset[str],
        shards: Sequence[int],
        since: str | Mapping[str, str],
    ) -> None:
        self._redis = redis
        self._job_ids = job_ids
        self._after = since if isinstance(since, Mapping) else {}
        self._last = _starts(redis, shards, since)
        self.unread: set[int] = set()

    def read(self, shards: Iterable[int]) -> Sequence[Event]:
        """Return the next events of these shards, by time."""
        with self._redis.pipeline(transaction=False) as calls:
            for shard in shards:
                key = shard_key(shard, EVENTS)
                calls.xrange(key, min=f"({self._last[shard]}", count=_READ)
            answers = cast(list[list[_Entry]], calls.execute())
        read = dict(zip(shards, answers, strict=True))
        self.unread = {shard for shard, entries in read.items() if len(entries) == _READ}
        self._last |= {shard: entries[-1][0] for shard, entries in read.items() if entries}
        merged = sorted((entry for part in answers for entry in part), key=_by_time)
        return [event for entry, event in merged if self._follows(entry, event["id"])]

    def _follows(self, entry: str, job_id: str) -> bool:
        if self._job_ids and job_id not in self._job_ids:
            return False
        return _place(entry) > _place(self._after.get(job_id, "0-0"))


def _starts(redis: Redis, shards: Sequence[int], since: str | Mapping[str, str]) -> dict[int, str]:
    """Return the id of the entry after which each stream is read."""
    if isinstance(since, Mapping):
        firsts: dict[int, str] = {}
        for job_id, entry in since.items():
            shard = shard_of(job_id)
            firsts[shard] = min(firsts.get(shard, entry), entry, key=_place)
        return firsts
    if since != "$":
        return dict.fromkeys(shards, since)
    with redis.pipeline(transaction=False) as calls:
        for shard in shards:
            calls.xrevrange(shard_key(shard, EVENTS), count=1)
        answers = cast(list[list[_Entry]], calls.execute())
    # The id of the last entry: "$" would be another one after each lost connection.
    newest = (entries[0][0] if entries else "0-0" for entries in answers)
    return dict(zip(shards, newest, strict=True))


def _by_time(entry: _Entry) -> tuple[int, ...]:
    return _place(entry[0])


def _place(entry: str) -> tuple[int, ...]:
    return tuple(map(int, entry.split("-")))
