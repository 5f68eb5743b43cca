"""Tenants with a new receiver, whose jobs have begun without it.

falhook:{notify}:new  sorted set: tenant → from when its jobs in progress can be marked

A job's record names the states of which its receivers are told: it gets that when it is created.
Processes that create jobs know of a new endpoint within a second. Then those that have begun, and
have not ended, are marked as well.
"""

from collections.abc import Callable
from typing import cast

from redis import Redis

from worker.jobs.job import FINAL, JobState
from worker.jobs.listing import newest
from worker.jobs.store import job_key
from worker.notifications.routes import BELIEVED, Routes

NEW = "falhook:{notify}:new"
# KEYS: the job's hash; ARGV: what it is to have, and the states in which it has ended.
_MARK = """
local job = redis.call('HMGET', KEYS[1], 'state', 'owes')
if not job[1] or job[2] == ARGV[1] then return 0 end
for place = 2, #ARGV do
  if job[1] == ARGV[place] then return 0 end
end
redis.call('HSET', KEYS[1], 'owes', ARGV[1])
return 1
"""


class NewReceivers:
    """The tenants of one Redis that have a new receiver; times are Unix seconds."""

    def __init__(self, redis: Redis, clock: Callable[[], float]) -> None:
        self._redis = redis
        self._clock = clock
        self._mark = redis.register_script(_MARK)

    def note(self, tenant: str) -> None:
        """Have the tenant's jobs be marked as soon as every process knows of its receiver."""
        self._redis.zadd(NEW, {tenant: self._clock() + 2 * BELIEVED})

    def ready(self) -> bool:
        """Return whether jobs can be marked now."""
        return bool(self._redis.zcount(NEW, 0, self._clock()))

    def mark(self) -> int:
        """Mark the jobs of these tenants that have not ended; return how many."""
        ready = cast(
            list[tuple[str, float]],
            self._redis.zrange(NEW, 0, self._clock(), byscore=True, withscores=True),
        )
        marked = 0
        for tenant, noted in ready:
            marked += self._of(tenant)
            # A receiver that was added meanwhile has another time.
            if self._redis.zscore(NEW, tenant) == noted:
                self._redis.zrem(NEW, tenant)
        return marked

    def _of(self, tenant: str) -> int:
        routes = Routes.read(self._redis)
        marked = 0
        for state in JobState:
            if state in FINAL:
                continue
            for job in newest(self._redis, state=state, tenant=tenant):
                marked += self._marked(job.id, routes.owed(job))
        return marked

    def _marked(self, job_id: str, owes: str) -> int:
        return int(self._mark(keys=[job_key(job_id)], args=[owes, *sorted(FINAL)]))
