"""How far Redis had come, as its storage saw it: a Redis that is behind that was restored.

A number is counted up in Redis and then written to the storage, every minute. A copy of Redis has
the number of the time at which it was made; the storage has the last one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from redis import Redis

from webhook.log import get_logger
from worker.errors import ConfigurationError, Failure
from worker.storage import Storage

COUNT = "falhook:age"
TURN = "falhook:age_turn"
# In the storage: the last number, and when it was written, in Unix seconds.
SEEN = ".falhook.redis"
EVERY = 60  # seconds between two numbers

log = get_logger()


@dataclass(frozen=True, slots=True)
class Seen:
    """The last number that the storage saw, and when, in Unix seconds."""

    count: int
    at: float


class RedisBehind(ConfigurationError):
    """Redis is older than its storage has seen it; the sentence names the cure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisAge:
    """Notes the age of Redis in the storage."""

    redis: Redis
    storage: Storage
    clock: Callable[[], float]

    def note(self) -> None:
        """Count up in Redis and then in the storage, once a minute over all processes.

        A Redis that is behind is logged instead. A storage that cannot be used is left alone: each
        step reports it. Raises RedisError.
        """
        if not self.redis.set(TURN, "1", nx=True, ex=EVERY):
            return
        try:
            require_newest(self.redis, self.storage)
            # Redis first: what the storage has seen, Redis had.
            count = self.redis.incr(COUNT)
            text = f"{count} {self.clock():.0f}\n"
            self.storage.put(SEEN, text.encode(), content_type="text/plain")
        except RedisBehind as behind:
            log.error("redis.behind", sentence=str(behind))  # noqa: TRY400  # not a crash
        except Failure:
            return


def require_newest(redis: Redis, storage: Storage) -> Seen | None:
    """Return what the storage saw last; None if it saw nothing yet.

    Raises RedisBehind, and what reading a storage raises.
    """
    seen = _seen(storage)
    count = int(cast(str | None, redis.get(COUNT)) or 0)
    if seen is None or seen.count <= count:
        return seen
    raise RedisBehind(
        f"REDIS_URL has older data than FALHOOK_STORAGE_URL={storage.place.url} saw at "
        f"{datetime.fromtimestamp(seen.at, UTC):%Y-%m-%d %H:%M} UTC: a copy was restored, or "
        "writes were lost. Jobs in it may have been sent to fal since, and would be paid twice: "
        "stop the submit workers and follow 'Backup and restore' in infra/README.md; after that, "
        f"run redis-cli SET {COUNT} {seen.count}"
    )


def _seen(storage: Storage) -> Seen | None:
    content = storage.read(SEEN)
    if content is None:
        return None
    try:
        count, at = content.decode().split()
        return Seen(int(count), float(at))
    except ValueError:  # a write that was cut off; the next one replaces it
        return None
