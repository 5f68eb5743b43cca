"""The verbs of the records on each kind of deployment: a server, a cluster, behind sentinels.

One contract, with real servers: whatever REDIS_URL names, the pipeline does the same.
"""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.exceptions import RedisError

from tests.factories.redis_urls import deployment
from tests.factories.world import ENDPOINT, VIDEO, ScriptedFal, World, accepted, callback
from webhook.contract import INBOX, Callback, inbox_key
from webhook.health import probe
from webhook.inbox import Inbox
from webhook.redis.address import RedisAddress
from webhook.redis.clients import async_client
from webhook.redis.probe import probe as probe_writes
from webhook.shards import all_keys, shard_of
from worker.jobs.change import Change
from worker.jobs.events import follow, read_followed
from worker.jobs.filtered_listing import filtered_page
from worker.jobs.job import Job, JobState
from worker.jobs.listing import count, newest
from worker.jobs.store import JobStore, connect
from worker.jobs.tenant import DEFAULT
from worker.operations.orphans import adopt, orphans
from worker.retention.archive import Archive
from worker.retention.periods import RetentionPeriods
from worker.retention.retention import Retention
from worker.steps.inbox import InboxReader
from worker.storage import Storage

KINDS = ("server", "cluster", "sentinels")
# As many jobs as reach every node of a cluster.
MANY = tuple(f"job{number}" for number in range(40))


@pytest.fixture(scope="module", params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a running deployment."""
    kind = str(request.param)
    with deployment(kind, tmp_path_factory.mktemp(kind)) as address:
        yield address


@pytest.fixture
def store(url: str) -> Iterator[JobStore]:
    """The records of the deployment, empty at first."""
    with connect(url) as redis:
        redis.flushall()
        yield JobStore(redis)


def add(store: JobStore, *job_ids: str) -> None:
    """Add jobs."""
    for job_id in job_ids:
        job = Job(id=job_id, endpoint=ENDPOINT, arguments={"prompt": "A fox"})
        assert store.add(job, due=store.clock() - 1, event={"name": "created"})


def test_add_and_change(store: JobStore) -> None:
    """A job is added once, and changed only from an expected state; both are in its record."""
    add(store, *MANY)
    again = Job(id=MANY[0], endpoint=ENDPOINT, arguments={})
    assert not store.add(again, due=1.0, event={"name": "created"})
    event = {"name": "started"}
    claim = Change(to=JobState.SUBMITTING, bump=("attempt",), event=event)
    for job_id, change in zip(MANY, (store.change, store.change_confirmed), strict=False):
        assert (True, False) == tuple(change(job_id, [JobState.QUEUED], claim) for _ in range(2))
        job = store.get(job_id)
        assert job is not None
        assert (JobState.SUBMITTING, 1) == (job.state, job.attempt)
    states = (JobState.QUEUED, JobState.SUBMITTING)
    assert {JobState.QUEUED: 38, JobState.SUBMITTING: 2} == count(store.redis, states)
    assert 40 == len(list(newest(store.redis)))


def test_tenants(store: JobStore, tmp_path: Path) -> None:
    """Jobs of a tenant are listed, counted, looked up and archived, whichever node they are on."""
    for job_id in MANY:
        job = Job(id=job_id, endpoint=ENDPOINT, arguments={}, tenant="acme")
        assert store.added(job, due=0, event={"name": "created"}) == store.look_up(job_id).job
    add(store, "other")
    ended = Change(to=JobState.FAILED, due=0, event={"name": "moved"})
    assert all(store.change(job_id, [JobState.QUEUED], ended) for job_id in MANY)
    assert {JobState.FAILED: 40} == count(store.redis, [JobState.FAILED], "acme")
    assert {JobState.QUEUED: 1} == count(store.redis, [JobState.QUEUED], DEFAULT)
    assert {JobState.FAILED: 0} == count(store.redis, [JobState.FAILED], DEFAULT)
    assert 30 == len(filtered_page(store.redis, tenant="acme", limit=30).jobs)
    (own,) = filtered_page(store.redis, tenant=DEFAULT).jobs
    assert "other" == own.id
    storage = Storage.open(str(tmp_path))
    retention = Retention(
        redis=store.redis,
        archive=Archive(redis=store.redis, storage=lambda: storage),
        periods=RetentionPeriods.parse("1m"),
        clock=lambda: store.clock() + 90,
    )
    assert 40 == retention.run()
    assert {JobState.FAILED: 0} == count(store.redis, [JobState.FAILED], "acme")
    assert [] == list(filtered_page(store.redis, tenant="acme").jobs)
    assert store.look_up(MANY[0]).archiving


def test_due(store: JobStore) -> None:
    """Overdue jobs of every node are found; one without a timer is not."""
    add(store, "one", "two", "three")
    assert store.change("two", [JobState.QUEUED], Change(due=0))
    assert {"one", "three"} == set(store.due(1_000))


def test_follow(store: JobStore, url: str) -> None:
    """A follower sees the moves of jobs of all shards, each within a second or two."""
    job_ids = MANY[:8]
    add(store, *job_ids)
    since = {job_id: read_followed(store, job_id)[1] for job_id in job_ids}
    seen: list[str] = []
    with connect(url) as redis:
        events = follow(redis, job_ids, since=since)

        def watch() -> None:
            for event in events:
                if event is not None:
                    seen.append(event["id"])
                if len(seen) == len(job_ids):
                    return

        watcher = threading.Thread(target=watch)
        watcher.start()
        change = Change(to=JobState.SUBMITTING, event={"name": "started"})
        for job_id in job_ids:
            assert store.change(job_id, [JobState.QUEUED], change)
        watcher.join(15)
        assert sorted(job_ids) == sorted(seen)
        assert len({shard_of(job_id) for job_id in job_ids}) > 3


async def receive(url: str, calls: dict[str, Callback]) -> None:
    """Write callbacks as the receiver does."""
    retry = Retry(ConstantBackoff(0.1), 2)
    redis = async_client(
        RedisAddress.parse(url), retry=retry, socket_timeout=2, socket_connect_timeout=1
    )
    await probe(redis)
    inbox = Inbox(redis, lambda _job_ids: None)
    running = asyncio.create_task(inbox.run())
    await asyncio.gather(*(inbox.put(job_id, each) for job_id, each in calls.items()))
    running.cancel()
    await redis.aclose()


def test_inbox(store: JobStore, url: str) -> None:
    """Callbacks that the receiver stored on every node are read, found overdue and removed."""
    calls = {job_id: callback() for job_id in MANY}
    asyncio.run(receive(url, calls))
    with connect(url, decode_responses=False) as raw:
        reader = InboxReader(raw)
        assert [callback()] == reader.callbacks(MANY[3])
        assert set(MANY) == set(reader.overdue(10_000))
        reader.set_aside(MANY[0], 1)
        for job_id in MANY[1:]:
            reader.remove(job_id, callback())
        assert 0 == sum(cast(int, raw.zcard(key)) for key in all_keys(INBOX))
    orphan = [each for each in orphans(store) if each.job_id == MANY[0]]
    assert [callback()] == list(orphan[0].callbacks)
    job = Job(id=MANY[0], endpoint=ENDPOINT, arguments={})
    assert adopt(store, job, orphan[0])
    assert [MANY[0]] == [job.id for job in newest(store.redis)]


def test_a_job_from_end_to_end(store: JobStore, url: str) -> None:
    """A pipeline takes jobs on every node from their creation to their publication."""
    fal = ScriptedFal()
    with connect(url) as redis, connect(url, decode_responses=False) as raw:
        world = World(redis, raw, fal.fal)
        for number, job_id in enumerate(MANY[:6]):
            fal.answers = [accepted(number)]
            world.add_submitted(job_id)
            request_id = world.job(job_id).request_id
            assert request_id
            answer = callback(request_id=request_id, payload=VIDEO)
            world.raw.hset(inbox_key(job_id), answer.fingerprint, answer.encode())
            world.ingest.run([job_id])
        world.follow_wakes()
        assert {JobState.PUBLISHED} == {world.state(job_id) for job_id in MANY[:6]}
        world.clock.forward(60)
        world.sweep.run()
        assert 6 == fal.count("POST")


def test_a_write_is_probed(url: str) -> None:
    """The probe of the worker and of `falhook check` writes."""
    with connect(url) as redis:
        probe_writes(redis)


@pytest.mark.parametrize("kind", ["redis+cluster://127.0.0.1:1", "redis+sentinel://127.0.0.1:1/x"])
def test_a_deployment_that_is_away_is_an_error_of_redis(kind: str) -> None:
    """Every caller expects RedisError; redis-py's cluster would raise one that is none."""
    with pytest.raises(RedisError):
        connect(kind).get("x")
