"""The worker's side of the inbox: callbacks that the receiver wrote and no worker has ingested."""

import time
from collections.abc import Callable, Sequence
from typing import cast

from redis import Redis

from webhook.contract import INBOX, Callback, inbox_key
from webhook.log import get_logger
from webhook.shards import SHARDS, all_keys, key_of
from worker.jobs.counts import counts_key

# Seconds until the wake of a callback that is still pending is repeated.
WAKE_AGAIN = 20.0
# Seconds for which a callback without a job record is kept for inspection.
ORPHAN_KEPT = 30 * 86400

# Times that the ingestion of one callback may crash before it is set aside.
MAX_CRASHES = 5

# Removes one entry, and the job from the set of pending ones unless another callback has come.
_REMOVE = """
redis.call('HDEL', KEYS[1], ARGV[2])
if redis.call('HLEN', KEYS[1]) == 0 then redis.call('ZREM', KEYS[2], ARGV[1]) end
"""

# Counts a crash of one entry; the one with number ARGV[3] moves it to the hash of those set aside.
_CRASHED = """
local crashes = redis.call('HINCRBY', KEYS[3], ARGV[2], 1)
redis.call('EXPIRE', KEYS[3], ARGV[4])
if crashes < tonumber(ARGV[3]) then return crashes end
local entry = redis.call('HGET', KEYS[1], ARGV[2])
if entry then
  redis.call('HSET', KEYS[4], ARGV[2], entry)
  redis.call('EXPIRE', KEYS[4], ARGV[4])
  redis.call('HINCRBY', KEYS[5], 'cb|set_aside', 1)
end
redis.call('HDEL', KEYS[1], ARGV[2])
redis.call('HDEL', KEYS[3], ARGV[2])
if redis.call('HLEN', KEYS[1]) == 0 then redis.call('ZREM', KEYS[2], ARGV[1]) end
return crashes
"""

# Takes all entries of a job off the pending ones, unless another worker has.
_SET_ASIDE = """
redis.call('EXPIRE', KEYS[1], ARGV[2])
if redis.call('ZREM', KEYS[2], ARGV[1]) == 1 then
  redis.call('HINCRBY', KEYS[3], 'cb|orphaned', ARGV[3])
end
"""

log = get_logger()


def crashes_key(job_id: str) -> str:
    """Return the key of the hash: callback of this job → times that its ingestion crashed."""
    return f"{inbox_key(job_id)}:crashes"


def aside_key(job_id: str) -> str:
    """Return the key of the hash of this job's callbacks that crashed MAX_CRASHES times."""
    return f"{inbox_key(job_id)}:aside"


class InboxReader:
    """Reads pending callbacks from Redis, whose client must not decode responses."""

    def __init__(self, redis: Redis, *, clock: Callable[[], float] = time.time) -> None:
        self._redis = redis
        self._clock = clock
        self._remove = redis.register_script(_REMOVE)
        self._crashed = redis.register_script(_CRASHED)
        self._set_aside = redis.register_script(_SET_ASIDE)

    def callbacks(self, job_id: str) -> Sequence[Callback]:
        """Return the job's pending callbacks, the oldest first.

        An entry that is not a callback stays, and each reading counts as a crash of it.
        """
        entries = cast(dict[bytes, bytes], self._redis.hgetall(inbox_key(job_id)))
        callbacks: list[Callback] = []
        for name, entry in entries.items():
            try:
                callbacks.append(Callback.decode(entry))
            except ValueError:
                self.count_crash(job_id, name)
        return sorted(callbacks, key=lambda callback: callback.received_at)

    def remove(self, job_id: str, callback: Callback) -> None:
        """Remove a callback that the job's record contains now."""
        keys = [inbox_key(job_id), key_of(job_id, INBOX)]
        self._remove(keys=keys, args=[job_id, callback.fingerprint])

    def count_crash(self, job_id: str, entry: str | bytes) -> None:
        """Count a crash of the ingestion of this entry; after MAX_CRASHES it is set aside.

        It is then kept for ORPHAN_KEPT under `aside_key`, and no longer pending.
        """
        pending = key_of(job_id, INBOX)
        keys = [inbox_key(job_id), pending, crashes_key(job_id), aside_key(job_id)]
        keys.append(counts_key(job_id))
        crashes = self._crashed(keys=keys, args=[job_id, entry, MAX_CRASHES, ORPHAN_KEPT])
        if int(cast(int, crashes)) >= MAX_CRASHES:
            log.error("callback.set_aside", job=job_id, kept=aside_key(job_id))

    def set_aside(self, job_id: str, callbacks: int) -> None:
        """Keep the callbacks of a job without a record for ORPHAN_KEPT, no longer pending."""
        keys = [inbox_key(job_id), key_of(job_id, INBOX), counts_key(job_id)]
        self._set_aside(keys=keys, args=[job_id, ORPHAN_KEPT, callbacks])

    def overdue(self, limit: int) -> Sequence[str]:
        """Return ids of jobs whose callbacks are overdue; each is due again in WAKE_AGAIN.

        Each shard gives an equal part of `limit`, so that none waits for another.
        """
        now = self._clock()
        keys = all_keys(INBOX)
        with self._redis.pipeline(transaction=False) as calls:
            for key in keys:
                calls.zrangebyscore(key, 0, now, start=0, num=-(-limit // SHARDS))
            answers = cast(list[list[bytes]], calls.execute())
        overdue = {key: job_ids for key, job_ids in zip(keys, answers, strict=True) if job_ids}
        with self._redis.pipeline(transaction=False) as calls:
            for key, job_ids in overdue.items():
                calls.zadd(key, dict.fromkeys(job_ids, now + WAKE_AGAIN), xx=True)
            calls.execute()
        return [job_id.decode() for job_ids in overdue.values() for job_id in job_ids]
