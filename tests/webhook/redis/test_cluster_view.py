"""A primary of a real cluster that has no replica any more: left by it, or replaced by it."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.exceptions import RedisError

from infra.local.redis.server import RedisServer
from tests.factories.redis_servers import cluster
from tests.factories.redis_urls import cluster_url
from tests.factories.world import callback
from tests.faults.striking import frozen
from tests.faults.waiting import until
from webhook.contract import INBOX
from webhook.inbox import Inbox
from webhook.redis.address import RedisAddress
from webhook.redis.clients import as_async_cluster, as_cluster, async_client
from webhook.redis.cluster_view import is_primary, is_primary_async
from webhook.redis.confirmation import ConfirmedScripts
from webhook.shards import key_of
from worker.jobs.store import connect

SET = "redis.call('SET', KEYS[1], ARGV[1]) return 'set'"
JOB = "job1"
KEY = key_of(JOB, INBOX)
_SECONDS = 20.0


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[list[RedisServer]]:
    """Three primaries, then the replica of each."""
    with cluster(tmp_path, replicas=True) as running:
        yield running


def pair(nodes: list[RedisServer], redis: Redis) -> tuple[RedisServer, RedisServer]:
    """Return the node that has the key, and the one that follows it."""
    known = as_cluster(redis)
    assert known is not None
    name = known.get_node_from_key(KEY).name  # type: ignore[no-untyped-call]
    number = [f"127.0.0.1:{node.port}" for node in nodes].index(name)
    return nodes[number], nodes[number + 3]


async def put(url: str) -> None:
    """Store a callback as the receiver does."""
    retry = Retry(ConstantBackoff(0.1), 2)
    redis = async_client(RedisAddress.parse(url), retry=retry, socket_timeout=2)
    inbox = Inbox(redis, lambda _job_ids: None)
    running = asyncio.create_task(inbox.run())
    try:
        await inbox.put(JOB, callback())
    finally:
        running.cancel()
        await redis.aclose()


@pytest.mark.timeout(90)
def test_a_primary_that_lost_its_replica_goes_on(nodes: list[RedisServer]) -> None:
    """The others say that it still is the primary, so nothing was elected: no minute is lost."""
    url = cluster_url(nodes)
    with closing(connect(url)) as redis:
        scripts = ConfirmedScripts(redis)

        def written() -> bool:
            try:
                return bool(scripts.eval(SET, [KEY], ["paid"]) == "set")
            except RedisError:
                return False

        until(written, "its replica confirms", _SECONDS)
        pair(nodes, redis)[1].kill()
        until(written, "it confirms alone", _SECONDS)
        redis.delete(KEY)
    asyncio.run(put(url))


@pytest.mark.timeout(90)
def test_a_replaced_primary_is_not_believed(nodes: list[RedisServer]) -> None:
    """Its replica was elected while it was frozen, and only the others know."""
    with closing(connect(cluster_url(nodes))) as redis:
        known = as_cluster(redis)
        assert known is not None
        primary, _ = pair(nodes, redis)
        name = f"127.0.0.1:{primary.port}"
        assert is_primary(known, name, KEY)
        with frozen(primary):
            until(lambda: not is_primary(known, name, KEY), "another was elected", _SECONDS)
            assert not asyncio.run(believed(cluster_url(nodes[1:]), name))


async def believed(url: str, name: str) -> bool:
    """Return what the receiver's client hears of the node."""
    redis = async_client(RedisAddress.parse(url), retry=Retry(ConstantBackoff(0.1), 2))
    known = as_async_cluster(redis)
    assert known is not None
    await known.initialize()
    try:
        return await is_primary_async(known, name, KEY)
    finally:
        await redis.aclose()
