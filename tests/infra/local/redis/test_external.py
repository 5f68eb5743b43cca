"""What the local stack does not take over: a Redis with anything of a real deployment."""

from __future__ import annotations

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
    """Write a job down as an order does."""
    job = Job(id=job_id, endpoint="fal-ai/any", arguments={})
    records.add(job, due=0.0, event={"name": "created"})


def everything(client: redis.Redis) -> dict[bytes, bytes | None]:
    """All that the Redis holds."""
    return {key: client.dump(key) for key in client.scan_iter()}


def test_jobs_are_counted_and_left_alone(
    redis_url: str, records: JobStore, client: redis.Redis
) -> None:
    """A Redis with jobs is refused in one sentence: how many, whose, the cure; nothing changes."""
    for job_id in ("paid-1", "paid-2"):
        add_job(records, job_id)
    before = everything(client)
    with pytest.raises(RedisNotStarted) as refused:
        claim(redis_url)
    sentence = str(refused.value)
    words = ("2 jobs of falhook", "real deployment", "Unset REDIS_URL", "redis://localhost:6379/9")
    assert [] == [word for word in words if word not in sentence]
    password = str(client.connection_pool.connection_kwargs["password"])
    assert (before, False) == (everything(client), password in sentence)


@pytest.mark.parametrize("key", ["falhook:events", "falhook:inbox:paid-1", "falhook:upload:a.png"])
def test_any_key_of_falhook_counts(redis_url: str, client: redis.Redis, key: str) -> None:
    """Without a job on record, an inbox or an upload is a deployment's all the same."""
    client.set(key, "")
    with pytest.raises(RedisNotStarted, match=key):
        claim(redis_url)


@pytest.mark.parametrize("queue", list(Queue))
def test_queues_count(redis_url: str, client: redis.Redis, queue: Queue) -> None:
    """Messages that wait in one of our queues are somebody's orders."""
    client.lpush(queue, "a message")
    with pytest.raises(RedisNotStarted, match=f"holds {queue},"):
        claim(redis_url)


def sent(redis_url: str) -> Celery:
    """Send a message that makes a job, as any codebase does."""
    app = celery_app(redis_url, transport_options={})
    app.send_task(Task.CREATE, kwargs={"endpoint": "a/b"})
    return app


def test_a_broker_alone_counts(redis_url: str, client: redis.Redis) -> None:
    """What Celery leaves behind when its queue is empty again is a deployment's broker."""
    sent(redis_url).close()
    client.delete(Queue.SUBMIT)
    with pytest.raises(RedisNotStarted, match=r"_kombu\.binding\.submit"):
        claim(redis_url)


def test_what_is_not_falhooks_does_not_count(redis_url: str, client: redis.Redis) -> None:
    """A Redis that other programs use beside is taken, and marked."""
    client.set("theirs", "1")
    client.lpush("celery", "a message")
    claim(redis_url)
    assert 1 == client.exists(MARKER)


def test_a_marked_one_is_used_again(redis_url: str, records: JobStore, client: redis.Redis) -> None:
    """Jobs below the mark are an earlier stack's: they may be there, and the mark stays."""
    claim(redis_url)
    first = client.get(MARKER)
    add_job(records, "simulated")
    client.set(MARKER, "since long ago", xx=True)
    claim(redis_url)
    assert (True, b"since long ago") == (bool(first), client.get(MARKER))


def test_one_that_cannot_be_written_is_named(redis_url: str, client: redis.Redis) -> None:
    """A Redis that refuses the mark is refused itself, before anything starts."""
    client.config_set("min-replicas-to-write", 1)
    try:
        with pytest.raises(RedisNotStarted, match=r"REDIS_URL.*replicas"):
            claim(redis_url)
    finally:
        client.config_set("min-replicas-to-write", 0)
