"""Since when the job that has waited longest is in its state."""

from collections.abc import Iterable, Mapping
from typing import cast

from redis import Redis

from worker.jobs.filter import Filter, read_fields
from worker.jobs.job import JobState
from worker.jobs.places import indexes
from worker.jobs.tenant import DEFAULT


def oldest(
    redis: Redis, states: Iterable[JobState], tenant: str | None
) -> Mapping[JobState, float]:
    """Return for each of these states in which the tenant has a job since when, in Unix seconds.

    None is every tenant. The default tenant's is not found while the first jobs of all shards are
    other tenants'.
    """
    wanted = list(states)
    with redis.pipeline(transaction=False) as calls:
        for key in (key for state in wanted for key in indexes(state, tenant)):
            calls.zrange(key, 0, 0, withscores=True)
        answers = iter(cast(list[list[tuple[str, float]]], calls.execute()))
    first = {
        state: dict(pair for _ in indexes(state, tenant) for pair in next(answers))
        for state in wanted
    }
    if tenant == DEFAULT:
        own, ids = Filter(tenant=tenant), [each for found in first.values() for each in found]
        fields = read_fields(redis, ids) if ids else {}
        first = {
            state: {each: at for each, at in found.items() if own.owns(fields.get(each, {}))}
            for state, found in first.items()
        }
    return {state: min(found.values()) for state, found in first.items() if found}
