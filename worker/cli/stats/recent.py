"""How many jobs were created, and how many ended, in the last minutes."""

from collections.abc import Mapping
from dataclasses import dataclass

from redis import Redis

from worker.jobs.job import JobState
from worker.jobs.places import indexes
from worker.jobs.tenant import DEFAULT

MINUTES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Recent:
    """Jobs of the last MINUTES; a failed job is one that is FAILED or EXPIRED now."""

    created: int
    published: int
    failed: int

    def as_data(self) -> Mapping[str, int]:
        """Return it as JSON."""
        return {
            "minutes": MINUTES,
            "created": self.created,
            "published": self.published,
            "failed": self.failed,
        }


def recent(redis: Redis, tenant: str | None, *, now: float) -> Recent | None:
    """Return the numbers of the tenant, or of all jobs, in one round trip.

    None for the default tenant, which has no indexes of its own.
    """
    if tenant == DEFAULT:
        return None
    states = (None, JobState.PUBLISHED, JobState.FAILED, JobState.EXPIRED)
    keys = [indexes(state, tenant) for state in states]
    with redis.pipeline(transaction=False) as calls:
        for key in (key for of_state in keys for key in of_state):
            calls.zcount(key, now - MINUTES * 60, "+inf")
        answers = iter(calls.execute())
    created, published, failed, expired = (sum(next(answers) for _ in each) for each in keys)
    return Recent(created=created, published=published, failed=failed + expired)
