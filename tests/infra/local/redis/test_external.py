"""The refusal of a Redis that holds data of a real deployment."""

from collections.abc import Iterator

import pytest
import redis
from celery import Celery

from infra.local.redis.binary import RedisNotStarted
from infra.local.redis.external import MARKER, claim
from webhook.contract import Queue, Task, celery_app
from worker.jobs.job import Job
from worker.jobs.store import JobStore


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    """A client of an empty Redis."""
    with redis.Redis.from_url(redis_url) as client:
        yield client


def add_job(records: JobStore, job_id: str) -> None:
    """Store a job as a submission does."""
    job = Job(id=job_id, endpoint="fal-ai/any", arguments={})
    records.add(job, due=0.0, event={"name": "created"})


def everything(client: redis.Redis) -> dict[bytes, bytes | None]:
    """All keys and values of the Redis."""
    return {key: client.dump(key) for key in client.scan_iter()}


def test_jobs_are_counted_and_left_alone(
    redis_url: str, records: JobStore, client: redis.Redis
) -> None:
    """A Redis with jobs is refused and unchanged; the message says how many, and what to do."""
    for job_id in ("paid-1", "paid-2"):
        add_job(records, job_id)
    before = everything(client)
    with pytest.raises(RedisNotStarted) as refused:
        claim(redis_url)
    text = str(refused.value)
    words = ("2 jobs of falhook", "real deployment", "Unset REDIS_URL", "redis://localhost:6379/9")
    assert [] == [word for word in words if word not in text]
    password = str(client.connection_pool.connection_kwargs["password"])
    assert (before, False) == (everything(client), password in text)


@pytest.mark.parametrize("key", ["falhook:events", "falhook:inbox:paid-1", "falhook:upload:a.png"])
def test_any_key_of_falhook_counts(redis_url: str, client: redis.Redis, key: str) -> None:
    """Without a job, an inbox or an upload is still refused."""
    client.set(key, "")
    with pytest.raises(RedisNotStarted, match=key):
        claim(redis_url)


@pytest.mark.parametrize("queue", list(Queue))
def test_queues_count(redis_url: str, client: redis.Redis, queue: Queue) -> None:
    """A message in one of falhook's queues is refused."""
    client.lpush(queue, "a message")
    with pytest.raises(RedisNotStarted, match=f"holds {queue},"):
        claim(redis_url)


def send_message(redis_url: str) -> Celery:
    """Send a message that creates a job, as any codebase may."""
    app = celery_app(redis_url, redis={})
    app.send_task(Task.CREATE, kwargs={"endpoint": "a/b"})
    return app


def test_an_empty_broker_counts(redis_url: str, client: redis.Redis) -> None:
    """The binding that Celery leaves behind an empty queue is refused."""
    send_message(redis_url).close()
    client.delete(Queue.SUBMIT)
    with pytest.raises(RedisNotStarted, match=r"_kombu\.binding\.falhook\.submit"):
        claim(redis_url)


def test_keys_of_other_programs_do_not_count(redis_url: str, client: redis.Redis) -> None:
    """A Redis with keys of other programs is used, and marked."""
    client.set("other", "1")
    client.lpush("celery", "a message")
    claim(redis_url)
    assert 1 == client.exists(MARKER)


def test_a_marked_redis_is_used_again(
    redis_url: str, records: JobStore, client: redis.Redis
) -> None:
    """A marked Redis may hold jobs, which are simulated; the mark is kept."""
    claim(redis_url)
    first = client.get(MARKER)
    add_job(records, "simulated")
    client.set(MARKER, "since long ago", xx=True)
    claim(redis_url)
    assert (True, b"since long ago") == (bool(first), client.get(MARKER))


def test_a_redis_that_cannot_be_written_is_refused(redis_url: str, client: redis.Redis) -> None:
    """A Redis that refuses the mark is refused before anything starts."""
    client.config_set("min-replicas-to-write", 1)
    try:
        with pytest.raises(RedisNotStarted, match=r"REDIS_URL.*replicas"):
            claim(redis_url)
    finally:
        client.config_set("min-replicas-to-write", 0)
