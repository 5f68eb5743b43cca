"""Writes that replicas confirm: on a real primary with a real replica, frozen and lost."""

import asyncio
from collections.abc import Iterator
from contextlib import closing

import pytest
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff

from infra.local.redis.server import RedisServer
from tests.factories.redis_servers import primary, replica
from tests.factories.world import ManualClock, callback
from tests.faults.striking import frozen
from tests.faults.waiting import until
from webhook.inbox import Inbox, InboxUnavailable
from webhook.redis.address import RedisAddress
from webhook.redis.clients import async_client
from webhook.redis.confirmation import ConfirmedScripts
from webhook.redis.replicas import SUSPECTED, WAIT, AskAgain, Replicas, Unconfirmed
from worker.jobs.store import connect

SET = "redis.call('SET', KEYS[1], ARGV[1]) return 'set'"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RedisServer, RedisServer]]:
    """A primary and its replica."""
    directory = tmp_path_factory.mktemp("replicated")
    with (
        primary(directory / "first") as first,
        replica(directory / "second", of=first) as second,
    ):
        yield first, second


def test_the_replica_has_what_was_confirmed(servers: tuple[RedisServer, RedisServer]) -> None:
    """When the script returns, the replica has its write; with a frozen replica it raises."""
    first, second = servers
    with closing(connect(first.url)) as redis, closing(connect(second.url)) as other:
        scripts = ConfirmedScripts(redis)
        assert "set" == scripts.eval(SET, ["paid"], ["once"])
        assert "once" == other.get("paid")
        with frozen(second), pytest.raises(Unconfirmed, match="fewer than 1 replica"):
            scripts.eval(SET, ["paid"], ["twice"])
        until(lambda: scripts.eval(SET, ["paid"], ["again"]) == "set", "it is confirmed", 15)


async def put(inbox_url: str) -> None:
    """Store a callback as the receiver does."""
    retry = Retry(ConstantBackoff(0.1), 2)
    redis = async_client(RedisAddress.parse(inbox_url), retry=retry, socket_timeout=2)
    inbox = Inbox(redis, lambda _job_ids: None)
    running = asyncio.create_task(inbox.run())
    try:
        await inbox.put("job1", callback())
    finally:
        running.cancel()
        await redis.aclose()


def test_a_callback_that_a_replica_lacks_is_refused(
    servers: tuple[RedisServer, RedisServer],
) -> None:
    """fal gets 200 once the replica has the callback too, else 503 and it sends it again."""
    first, second = servers
    asyncio.run(put(first.url))
    with frozen(second), pytest.raises(InboxUnavailable):
        asyncio.run(put(first.url))


def test_a_server_without_replicas_needs_none(redis_url: str) -> None:
    """A single server confirms by itself."""
    with closing(connect(redis_url)) as redis:
        assert "set" == ConfirmedScripts(redis).eval(SET, ["paid"], ["once"])


def test_replicas_that_vanished_are_missed_for_a_while() -> None:
    """They may follow another primary now; after SUSPECTED the server counts as a single one."""
    clock = ManualClock()
    replicas = Replicas(clock=clock)
    replicas.confirm([0, ["master", 7, []]])
    with pytest.raises(Unconfirmed, match="fewer than 2"):
        replicas.confirm([1, ["master", 7, [["h", "1", "7"], ["h", "2", "7"]]]])
    replicas.confirm([2, ["master", 7, [["h", "1", "7"], ["h", "2", "7"]]]])
    with pytest.raises(Unconfirmed, match="fewer than 1"):
        replicas.confirm([0, ["master", 7, []]])
    clock.forward(SUSPECTED)
    replicas.confirm([0, ["master", 7, []]])


def test_a_replica_that_joins_is_waited_for_in_the_next_try() -> None:
    """Without replicas there is no WAIT; ROLE of the same trip tells of the first one."""
    replicas = Replicas()
    assert [("ROLE",)] == list(replicas.commands)
    joined = ["master", 7, [["h", "1", "7"]]]
    with pytest.raises(AskAgain, match="fewer than 1"):
        replicas.confirm([joined])
    assert [("WAIT", 1, WAIT), ("ROLE",)] == list(replicas.commands)
    replicas.confirm([1, joined])


def test_behind_sentinels_one_replica_is_the_least() -> None:
    """A primary that sentinels may replace at any time never confirms by itself."""
    with pytest.raises(Unconfirmed):
        Replicas(1).confirm([0, ["master", 7, []]])


def test_a_user_that_may_not_ask_for_the_role_counts_none() -> None:
    """ROLE may be forbidden; then only the least is required."""
    Replicas().confirm([0, PermissionError("no permission for ROLE")])
    assert Replicas(1).wanted == 1
