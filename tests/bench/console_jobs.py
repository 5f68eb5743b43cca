"""Records for the console's benchmark, copied from real ones."""

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from redis import Redis

from tests.bench.preload import TEMPLATE
from tests.factories.apis import ENDPOINT
from tests.factories.failed_jobs import add_failed
from webhook.shards import shard_key, shard_of
from worker.jobs.failures import FAILED, failure_groups
from worker.jobs.job import Job, JobState
from worker.jobs.store import JOBS, JobStore, job_key

_GROUPS = 30
_BATCH = 1_000


def add_published(store: JobStore) -> None:
    """Add the published job that others are copied from."""
    job = Job(
        id=TEMPLATE,
        endpoint=ENDPOINT,
        arguments={"prompt": "A red fox in the snow", "duration": "5"},
        state=JobState.PUBLISHED,
        outputs={"files": ["video.mp4", "poster.jpg"]},
    )
    assert store.add(job, due=0, event={"name": "created"})


def preload_failed(store: JobStore, raw: Redis, count: int) -> None:
    """Write `count` failed jobs in 30 groups, as the script that moves records leaves them."""
    for number in range(_GROUPS):
        add_failed(store, f"failed-template-{number}", reason=f"reason_{number}")
    groups = {group.sample: group.id for group in failure_groups(store.redis, "default")}
    templates = []
    for sample, group_id in groups.items():
        at = float(str(store.redis.hget(job_key(sample), "updated_at")))
        part = json.loads(str(store.redis.hget(_failed(shard_of(sample)), group_id)))
        templates.append((raw.hgetall(job_key(sample)), sample, group_id, at, part))
    totals: defaultdict[tuple[int, str], int] = defaultdict(int)
    for first in range(0, count, _BATCH):
        with raw.pipeline(transaction=False) as calls:
            for number in range(first, min(first + _BATCH, count)):
                record, sample, group_id, at, _ = templates[number % len(templates)]
                job_id, shard = f"failed-{number:09d}", shard_of(f"failed-{number:09d}")
                fields: dict[Any, Any] = {**record, b"id": job_id.encode()}
                calls.hset(job_key(job_id), mapping=fields)
                for key in (JOBS, f"{JOBS}:{JobState.FAILED}", f"{FAILED}:{group_id}"):
                    calls.zadd(shard_key(shard, key), {job_id: at})
                totals[shard, group_id] += 1
            calls.execute()
    with raw.pipeline(transaction=False) as calls:
        for key, group_id, value in _parts(totals, {each[2]: each[4] for each in templates}):
            calls.hset(key, group_id, value)
        calls.execute()


def _parts(
    totals: "defaultdict[tuple[int, str], int]", parts: "dict[str, dict[str, Any]]"
) -> Iterator[tuple[str, str, str]]:
    for (shard, group_id), jobs in totals.items():
        part = {**parts[group_id], "n": jobs, "usd": jobs * 1_400_000}
        yield _failed(shard), group_id, json.dumps(part)


def _failed(shard: int) -> str:
    return shard_key(shard, FAILED)
