"""The worker's side of the inbox: callbacks that the receiver wrote and no worker has ingested."""

import time
from collections.abc import Callable, Sequence
from typing import cast

from redis import Redis

from webhook.contract import INBOX, Callback, inbox_key

# Seconds until the wake of a callback that is still pending is repeated.
WAKE_AGAIN = 20.0
# Seconds for which a callback without a job record is kept for inspection.
ORPHAN_KEPT = 30 * 86400

# Removes one entry, and the job from the set of pending ones unless another callback has come.
_REMOVE = """
redis.call('HDEL', KEYS[1], ARGV[2])
if redis.call('HLEN', KEYS[1]) == 0 then redis.call('ZREM', KEYS[2], ARGV[1]) end
"""


class InboxReader:
    """Reads pending callbacks from Redis, whose client must not decode responses."""

    def __init__(self, redis: Redis, *, clock: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._clock = clock
        self._remove = redis.register_script(_REMOVE)

    def callbacks(self, job_id: str) -> Sequence[Callback]:
        """Return the job's pending callbacks, the oldest first."""
        entries = cast(dict[bytes, bytes], self._redis.hgetall(inbox_key(job_id)))
        callbacks = [Callback.decode(entry) for entry in entries.values()]
        return sorted(callbacks, key=lambda callback: callback.received_at)

    def remove(self, job_id: str, callback: Callback) -> None:
        """Remove a callback that the job's record contains now."""
        self._remove(keys=[inbox_key(job_id), INBOX], args=[job_id, callback.fingerprint])

    def set_aside(self, job_id: str) -> None:
        """Keep the callbacks of a job without a record for ORPHAN_KEPT, no longer pending."""
        pipe = self._redis.pipeline(transaction=True)
        pipe.expire(inbox_key(job_id), ORPHAN_KEPT)
        pipe.zrem(INBOX, job_id)
        pipe.execute()

    def overdue(self, limit: int) -> Sequence[str]:
        """Return ids of jobs whose callbacks are overdue; each is due again in WAKE_AGAIN."""
        now = self._clock()
        job_ids = cast(list[bytes], self._redis.zrangebyscore(INBOX, 0, now, start=0, num=limit))
        if job_ids:
            self._redis.zadd(INBOX, dict.fromkeys(job_ids, now + WAKE_AGAIN), xx=True)
        return [job_id.decode() for job_id in job_ids]
