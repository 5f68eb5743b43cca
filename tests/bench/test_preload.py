"""Preloaded records: what lists and counts make of them, and which template is refused."""

import time
from collections.abc import Iterator

import pytest
from redis import Redis

from tests.bench.moves import move
from tests.bench.preload import TEMPLATE, UnknownKeys, preload, template
from webhook.shards import key_of
from worker.jobs.job import JobState
from worker.jobs.listing import count, page, read
from worker.jobs.store import TIMERS, JobStore, connect


@pytest.fixture
def raw(redis_url: str) -> Iterator[Redis]:
    """A client that does not decode responses."""
    with connect(redis_url, decode_responses=False) as redis:
        yield redis


@pytest.fixture
def published(records: JobStore) -> JobStore:
    """Records with one published job, TEMPLATE."""
    move(records, [TEMPLATE])
    return records


def test_preloaded_jobs_are_listed(published: JobStore, raw: Redis) -> None:
    """They are published jobs with ids of their own, the last one the newest."""
    now = time.time() - 60
    preload(raw, template(raw), 1_500, now=now)
    newest = read(published.redis, page(published.redis, limit=3).ids)
    ids = [TEMPLATE, "0000000000001499", "0000000000001498"]
    assert ids == [job.id for job in newest]
    assert {JobState.PUBLISHED: 1_501} == count(published.redis, [JobState.PUBLISHED])
    assert newest[0].endpoint == newest[1].endpoint
    assert now - 1 < newest[1].updated_at < now


def test_a_template_in_other_keys_is_refused(published: JobStore, raw: Redis) -> None:
    """A job with a timer has not ended, and its copies would lack the timer."""
    raw.zadd(key_of(TEMPLATE, TIMERS), {TEMPLATE: 1.0})
    with pytest.raises(UnknownKeys, match="timers"):
        template(raw)
