"""What Redis answers while it is unavailable: a lost connection, whatever the server's version."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from redis import Redis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError, ResponseError
from redis.retry import Retry

from infra.local.redis.server import RedisServer
from webhook.redis.address import RedisAddress
from webhook.redis.clients import async_client, client
from webhook.redis.connections import RedisUnavailable
from webhook.redis.errors import refusal
from webhook.redis.probe import PROBE, PROBE_KEY, probe

ONCE = Retry(NoBackoff(), 0)


@contextmanager
def replica(redis: Redis) -> Iterator[None]:
    """Make Redis a replica of nothing."""
    redis.replicaof("127.0.0.1", 1)
    try:
        yield
    finally:
        redis.slaveof()


@contextmanager
def configured(redis: Redis, name: str, value: str) -> Iterator[None]:
    """Change a value of Redis's configuration."""
    before = str(redis.config_get(name)[name])
    redis.config_set(name, value)
    try:
        yield
    finally:
        redis.config_set(name, before)


CASES: dict[str, Callable[[Redis], AbstractContextManager[None]]] = {
    "READONLY": replica,
    "NOREPLICAS": lambda redis: configured(redis, "min-replicas-to-write", "1"),
}


@pytest.fixture
def raw(redis_server: RedisServer) -> Iterator[Redis]:
    """A plain client, to break the server."""
    with Redis.from_url(redis_server.url) as redis:
        yield redis


@pytest.mark.parametrize("code", CASES)
@pytest.mark.parametrize("command", [lambda r: r.set("k", 1), probe], ids=["command", "script"])
def test_a_refusal_closes_the_connection(
    redis_server: RedisServer, raw: Redis, code: str, command: Callable[[Redis], object]
) -> None:
    """The next command connects again, perhaps to another server."""
    with client(RedisAddress.parse(redis_server.url), retry=ONCE) as redis:
        before = redis.client_id()
        with CASES[code](raw), pytest.raises(RedisUnavailable, match=code):
            command(redis)
        assert before != redis.client_id()


@pytest.mark.parametrize("code", CASES)
def test_a_refusal_in_a_transaction(redis_server: RedisServer, raw: Redis, code: str) -> None:
    """kombu notes and acknowledges messages in transactions."""
    with (
        client(RedisAddress.parse(redis_server.url), retry=ONCE) as redis,
        CASES[code](raw),
        pytest.raises(RedisUnavailable, match=code),
        redis.pipeline() as pipe,
    ):
        pipe.set("a", 1).set("b", 2).execute()


def test_asyncio_too(redis_server: RedisServer, raw: Redis) -> None:
    """The receiver's client closes its connection as well."""

    async def write() -> None:
        retry = AsyncRetry(NoBackoff(), 0)
        redis = async_client(RedisAddress.parse(redis_server.url), retry=retry)
        try:
            before = await redis.client_id()
            with replica(raw), pytest.raises(RedisUnavailable, match="READONLY"):
                await redis.register_script(PROBE)(keys=[PROBE_KEY], args=[])
            assert before != await redis.client_id()
        finally:
            await redis.aclose()

    asyncio.run(write())


def test_a_full_redis_keeps_its_connections(redis_server: RedisServer, raw: Redis) -> None:
    """Reads and removals work under OOM, so its connection is kept, in scripts too."""
    with client(RedisAddress.parse(redis_server.url), retry=ONCE) as redis:
        before = redis.client_id()
        with configured(raw, "maxmemory", "1"):
            with pytest.raises(OutOfMemoryError):
                redis.set("k", "v")
            with pytest.raises(ResponseError) as error:
                probe(redis)
        assert ("OOM", before) == (refusal(error.value), redis.client_id())


def test_the_probe_leaves_no_key(redis_server: RedisServer, raw: Redis) -> None:
    """A Redis that was only checked holds nothing of falhook's."""
    probe(raw)
    assert not raw.exists(PROBE_KEY)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("UNBLOCKED force unblock from blocking operation, instance state changed", "UNBLOCKED"),
        ("READONLY You can't write against a read only replica.", "READONLY"),
        ("MASTERDOWN Link with MASTER is down", "MASTERDOWN"),
        ("MISCONF Redis is configured to save RDB snapshots", "MISCONF"),
        ("MISCONF Errors writing to the AOF file: No space left on device", "MISCONF"),
        ("BUSY Redis is busy running a script.", "BUSY"),
        ("CLUSTERDOWN The cluster is down", "CLUSTERDOWN"),
        ("TRYAGAIN Multiple keys request during rehashing of slot", "TRYAGAIN"),
        ("LOADING Redis is loading the dataset in memory", "LOADING"),
        ("Error running script (call to f_1): @user_script:1: -READONLY You can't", "READONLY"),
        ("EXECABORT Transaction discarded because of: MISCONF Redis is", "MISCONF"),
        ("max number of clients + cluster connections reached", "max number of clients"),
        ("no upstream host", "no upstream host"),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", None),
        ("BUSYGROUP Consumer Group name already exists", None),
        ("unknown command 'FOO', with args beginning with: 'READONLY'", None),
        ("NOSCRIPT No matching script.", None),
    ],
)
def test_codes_are_found_in_every_answer(words: str, code: str | None) -> None:
    """In front, in a script's error and in that of a transaction; nowhere else."""
    assert code == refusal(ResponseError(words))
