"""The worker's side of the inbox: what the receiver wrote down and nobody has ingested yet."""

import time
from collections.abc import Callable, Sequence
from typing import cast

from redis import Redis

from webhook.contract import INBOX, Callback, inbox_key

# A callback that was woken and is still pending is woken again after this long, in seconds.
WAKE_AGAIN = 20.0
# How long a callback without a job record is kept for somebody to look at, in seconds.
ORPHAN_KEPT = 30 * 86400

# Removes one entry, and the job from the set of pending ones only if none came meanwhile.
_REMOVE = """
redis.call('HDEL', KEYS[1], ARGV[2])
if redis.call('HLEN', KEYS[1]) == 0 then redis.call('ZREM', KEYS[2], ARGV[1]) end
"""


class InboxReader:
    """The pending callbacks in Redis, whose client must not decode responses."""

    def __init__(self, redis: Redis, *, clock: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._clock = clock
        self._remove = redis.register_script(_REMOVE)

    def callbacks(self, job_id: str) -> Sequence[Callback]:
        """The job's pending callbacks, the oldest first."""
        entries = cast(dict[bytes, bytes], self._redis.hgetall(inbox_key(job_id)))
        found = [Callback.decode(entry) for entry in entries.values()]
        return sorted(found, key=lambda callback: callback.received_at)

    def remove(self, job_id: str, callback: Callback) -> None:
        """Take out a callback that the job's record now knows."""
        self._remove(keys=[inbox_key(job_id), INBOX], args=[job_id, callback.fingerprint])

    def set_aside(self, job_id: str) -> None:
        """Keep the callbacks of a job without a record for ORPHAN_KEPT, pending no more."""
        pipe = self._redis.pipeline(transaction=True)
        pipe.expire(inbox_key(job_id), ORPHAN_KEPT)
        pipe.zrem(INBOX, job_id)
        pipe.execute()

    def overdue(self, limit: int) -> Sequence[str]:
        """Ids of jobs whose callbacks nobody took up in time; each is due again in WAKE_AGAIN."""
        now = self._clock()
        found = cast(list[bytes], self._redis.zrangebyscore(INBOX, 0, now, start=0, num=limit))
        if found:
            self._redis.zadd(INBOX, dict.fromkeys(found, now + WAKE_AGAIN), xx=True)
        return [job_id.decode() for job_id in found]
