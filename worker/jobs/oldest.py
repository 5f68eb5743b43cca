"""The job that has waited longest in a state."""

from collections.abc import Iterable, Mapping
from typing import cast

from redis import Redis

from worker.jobs.filter import Filter, read_fields
from worker.jobs.job import JobState
from worker.jobs.places import Place, indexes
from worker.jobs.tenant import DEFAULT


def oldest(
    redis: Redis, states: Iterable[JobState], tenant: str | None
) -> Mapping[JobState, float]:
    """Return for each of these states in which there is a job since when, in Unix seconds."""
    return {state: at for state, (at, _) in oldest_jobs(redis, states, tenant).items()}


def oldest_jobs(
    redis: Redis, states: Iterable[JobState], tenant: str | None
) -> Mapping[JobState, Place]:
    """Return for each of these states the job of the tenant, or of all, that is longest in it.

    A state without one is missing. The default tenant's is not found while the first jobs of all
    shards are other tenants'.
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
    return {
        state: min((at, job_id) for job_id, at in found.items())
        for state, found in first.items()
        if found
    }
