"""The outbox: events that are owed, which nobody has put into the lanes of their receivers yet.

falhook:{2a}:owed     sorted set: event → when it happened; written with the change of state itself
falhook:{notify}:rung set: shards with news, for which a message is on its way

The message may be lost: the sweep finds events that have waited for GRACE seconds.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import cast

from redis import Redis
from redis.exceptions import RedisError

from webhook.contract import Task
from webhook.log import get_logger
from webhook.shards import SHARDS, shard_key, shard_of
from worker.jobs.store import OWED
from worker.notifications.owed_event import OwedEvent

RUNG = "falhook:{notify}:rung"
# Seconds for which the sweep leaves an event to its message.
GRACE = 3.0
# The argument of the message: workers refuse one that cannot be a job's id.
LANES = "lanes"
# Events that are read of one shard at a time.
READ = 200
# Returns 1 if no message is on its way.
_RING = """
local rung = redis.call('SCARD', KEYS[1])
redis.call('SADD', KEYS[1], ARGV[1])
return rung == 0 and 1 or 0
"""
_TAKE = """
local shards = redis.call('SMEMBERS', KEYS[1])
redis.call('DEL', KEYS[1])
return shards
"""

log = get_logger()


class Bell:
    """Wakes the notifier: one message for all that happens until it has been read."""

    def __init__(self, redis: Redis, wake: Callable[[Task, object], object]) -> None:
        self._ring = redis.register_script(_RING)
        self._wake = wake

    def __call__(self, job_id: str) -> None:
        """Ring for an event of a job that is owed; a failure is left to the sweep."""
        try:
            if self._ring(keys=[RUNG], args=[shard_of(job_id)]):
                self._wake(Task.NOTIFY, LANES)
        except RedisError as error:
            log.warning("wake.failed", job=job_id, error=error)


class Outbox:
    """The owed events of one Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._take = redis.register_script(_TAKE)

    def rung(self) -> Sequence[int]:
        """Return the shards with news; from now on a message is sent for the next."""
        return [int(shard) for shard in self._take(keys=[RUNG], args=[])]

    def is_rung(self) -> bool:
        """Return whether a message is on its way, or was lost."""
        return bool(self._redis.exists(RUNG))

    def waiting(self, before: float) -> Sequence[int]:
        """Return the shards with an event that has waited since before this time."""
        with self._redis.pipeline(transaction=False) as calls:
            for shard in range(SHARDS):
                calls.zcount(shard_key(shard, OWED), 0, before)
            counts = cast(list[int], calls.execute())
        return [shard for shard, count in enumerate(counts) if count]

    def read(self, shards: Iterable[int]) -> Mapping[int, Sequence[OwedEvent]]:
        """Return the first owed events of these shards, in the order in which they happened."""
        wanted = list(shards)
        with self._redis.pipeline(transaction=False) as calls:
            for shard in wanted:
                calls.zrange(shard_key(shard, OWED), 0, READ - 1)
            lines = cast(list[list[str]], calls.execute())
        found = zip(wanted, lines, strict=True)
        return {shard: [*map(OwedEvent.parse, some)] for shard, some in found if some}

    def settle(self, events: Mapping[int, Sequence[OwedEvent]]) -> None:
        """Forget events, by shard, that are in the lanes of all their receivers."""
        with self._redis.pipeline(transaction=False) as calls:
            for shard, some in events.items():
                calls.zrem(shard_key(shard, OWED), *(event.line for event in some))
            calls.execute()

    def ring(self, shards: Iterable[int]) -> None:
        """Have these shards be read by whoever reads next."""
        if wanted := list(shards):
            self._redis.sadd(RUNG, *wanted)
