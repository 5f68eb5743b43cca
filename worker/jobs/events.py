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

# The id of an entry of a stream, and its event.
Entry: TypeAlias = tuple[str, Event]


def read_followed(store: JobStore, job_id: str) -> tuple[Job | None, str]:
    """Return the job, and the id of the newest entry of its shard's stream at that moment.

    Pass the id to `follow`, so that no event is missing or doubled between the two.
    """
    with store.redis.pipeline(transaction=True) as calls:
        calls.hgetall(job_key(job_id))
        calls.xrevrange(key_of(job_id, EVENTS), count=1)
        record, entries = cast(tuple[dict[str, str], list[Entry]], calls.execute())
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
                rung = bells.wait(streams.patience)
                events = streams.read(rung)
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


def read_entries(
    redis: Redis, after: Mapping[int, str], count: int = _READ
) -> Mapping[int, Sequence[Entry]]:
    """Return the first `count` entries of each shard after this id, in one round trip."""
    with redis.pipeline(transaction=False) as calls:
        for shard, entry in after.items():
            calls.xrange(shard_key(shard, EVENTS), min=f"({entry}", count=count)
        return dict(zip(after, cast(list[list[Entry]], calls.execute()), strict=True))


def newest_entries(redis: Redis, shards: Iterable[int] = range(SHARDS)) -> dict[int, str]:
    """Return the id of the newest entry of each shard's stream; "0-0" if it has none."""
    with redis.pipeline(transaction=False) as calls:
        for shard in shards:
            calls.xrevrange(shard_key(shard, EVENTS), count=1)
        answers = cast(list[list[Entry]], calls.execute())
    newest = (entries[0][0] if entries else "0-0" for entries in answers)
    return dict(zip(shards, newest, strict=True))


def place(entry: str) -> tuple[int, int]:
    """Return the id of an entry as the numbers by which Redis orders them: milliseconds, number."""
    at, _, number = entry.partition("-")
    return int(at), int(number)


class _Streams:
    """The streams of some shards, each read from where it was left."""

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
        self._shards = shards
        self._unread: set[int] = set()
        self._due = time.monotonic() + SILENCE

    @property
    def patience(self) -> float:
        """Seconds for which a bell may be awaited: none while there are unread entries."""
        return 0.0 if self._unread else max(0.0, self._due - time.monotonic())

    def read(self, rung: Iterable[int]) -> Sequence[Event]:
        """Return the next events of the shards that rang, by time; every second those of all.

        Also while other bells ring all the time: not every event rings one.
        """
        everything = time.monotonic() >= self._due
        shards = self._shards if everything else {*rung, *self._unread}
        read = read_entries(self._redis, {shard: self._last[shard] for shard in shards})
        if everything:
            self._due = time.monotonic() + SILENCE
        self._unread = {shard for shard, entries in read.items() if len(entries) == _READ}
        self._last |= {shard: entries[-1][0] for shard, entries in read.items() if entries}
        merged = sorted((entry for part in read.values() for entry in part), key=_by_time)
        return [event for entry, event in merged if self._follows(entry, event["id"])]

    def _follows(self, entry: str, job_id: str) -> bool:
        if self._job_ids and job_id not in self._job_ids:
            return False
        return place(entry) > place(self._after.get(job_id, "0-0"))


def _starts(redis: Redis, shards: Sequence[int], since: str | Mapping[str, str]) -> dict[int, str]:
    """Return the id of the entry after which each stream is read."""
    if isinstance(since, Mapping):
        firsts: dict[int, str] = {}
        for job_id, entry in since.items():
            shard = shard_of(job_id)
            firsts[shard] = min(firsts.get(shard, entry), entry, key=place)
        return firsts
    if since != "$":
        return dict.fromkeys(shards, since)
    # The id of the last entry: "$" would be another one after each lost connection.
    return newest_entries(redis, shards)


def _by_time(entry: Entry) -> tuple[int, int]:
    return place(entry[0])
