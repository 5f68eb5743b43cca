"""The probe for Redis: it tries a write, and compares what the README calls essential."""

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import Redis

from infra.local.redis.server import RedisServer
from tests.factories.redis_servers import cluster
from tests.factories.redis_urls import cluster_url, deployment
from worker.jobs.store import connect

Tried = Callable[..., tuple[str, str]]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of its own."""
    with RedisServer.start(tmp_path / "own-redis") as running:
        yield running


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("appendfsync", "everysec"),
        ("appendfsync", "no"),
        ("maxmemory-policy", "allkeys-lru"),
        ("maxmemory-policy", "volatile-ttl"),
        ("no-appendfsync-on-rewrite", "yes"),
    ],
)
def test_what_loses_callbacks_is_a_warning(
    tried: Tried, server: RedisServer, name: str, value: str
) -> None:
    """The sentence has the value, the right one, and what it costs."""
    with Redis.from_url(server.url) as redis:
        redis.config_set(name, value)
    word, sentence = tried("redis", REDIS_URL=server.url)
    assert ("warns", True) == (word, f"{name} is {value}, not " in sentence)


@pytest.mark.parametrize("forbidden", ["config", "info", "config -info"])
def test_a_redis_that_does_not_report_is_a_warning(
    tried: Tried, server: RedisServer, forbidden: str
) -> None:
    """Managed services forbid CONFIG or INFO: that fails nothing."""
    rules = [f"-{name}" for name in forbidden.replace("-", "").split()]
    with Redis.from_url(server.url) as redis:
        redis.execute_command("ACL", "SETUSER", "me", "on", ">pw", "~*", "&*", "+@all", *rules)
    parts = urlsplit(server.url)
    word, sentence = tried("redis", REDIS_URL=f"redis://me:pw@{parts.hostname}:{parts.port}/0")
    if forbidden == "info":  # CONFIG has it all
        assert ("ok", "appendonly yes, appendfsync always") == (word, sentence)
    else:
        assert ("warns", True) == (word, "cannot be read" in sentence)


@pytest.mark.parametrize("row", ["redis", "broker"])
def test_a_replica_takes_no_writes(tried: Tried, server: RedisServer, row: str) -> None:
    """A ping would be answered; what is promised is a write."""
    with Redis.from_url(server.url) as redis:
        redis.replicaof("127.0.0.1", 1)
        word, sentence = tried(row, REDIS_URL=server.url)
        redis.replicaof("NO", "ONE")
    assert ("fails", True, True) == (word, "READONLY" in sentence, "primary" in sentence)
    assert "ok" == tried(row, REDIS_URL=server.url)[0]


def test_behind_sentinels_the_replicas_count(tried: Tried, tmp_path: Path) -> None:
    """A primary that takes writes alone is a warning, and so is one without a replica."""
    with deployment("sentinels", tmp_path) as url, connect(url) as redis:
        word, sentence = tried("redis", REDIS_URL=url)
        assert ("warns", True) == (word, "min-replicas-to-write is 0, not 1" in sentence)
        redis.config_set("min-replicas-to-write", "1")
        assert ("ok", "appendonly yes, appendfsync always, 1 replica connected") == tried(
            "redis", REDIS_URL=url
        )
        assert "ok" == tried("broker", REDIS_URL=url)[0]


def test_each_primary_of_a_cluster_is_checked(tried: Tried, tmp_path: Path) -> None:
    """The sentence has the address of the node whose configuration is unsafe."""
    with cluster(tmp_path) as nodes:
        with Redis.from_url(nodes[1].url) as redis:
            redis.config_set("maxmemory-policy", "allkeys-lru")
        urls = {"REDIS_URL": cluster_url(nodes), "FALHOOK_BROKER_URL": nodes[0].url}
        word, sentence = tried("redis", **urls)
        unsafe = f"127.0.0.1:{nodes[1].port}: maxmemory-policy is allkeys-lru"
        assert ("warns", 1, True, 3) == (
            word,
            sentence.count("maxmemory-policy"),
            unsafe in sentence,
            sentence.count("no replica is connected"),
        )


def test_a_user_that_may_not_ask_for_the_role_is_a_warning(
    tried: Tried, server: RedisServer
) -> None:
    """Without ROLE nobody knows of replicas, so that they are not waited for."""
    with Redis.from_url(server.url) as redis:
        redis.execute_command("ACL", "SETUSER", "me", "on", ">pw", "~*", "&*", "+@all", "-role")
    url = f"redis://me:pw@127.0.0.1:{server.port}/0"
    word, sentence = tried("redis", REDIS_URL=url)
    assert ("warns", True) == (word, "may not call ROLE" in sentence)
