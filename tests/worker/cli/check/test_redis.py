"""The probe for Redis: it tries a write, and compares what the README calls essential."""

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import Redis

from infra.local.redis.server import RedisServer

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
