"""TLS to sentinels, to the primary that they name, and to the nodes of a cluster."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.factories.tls_redis import MISSING, PROGRAM, TlsServer, deployment
from tests.faults.waiting import until
from webhook.contract import celery_app
from webhook.publisher import publishing_app
from webhook.redis.address import RedisAddress
from webhook.redis.clients import async_client, client
from worker.broker import redis_transport

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason=MISSING)
KEYS = [f"key{number}" for number in range(20)]  # of all three nodes of a cluster
SECONDS = 60.0


@pytest.fixture(scope="module", params=["sentinel", "cluster"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a deployment with TLS."""
    with deployment(request.param, tmp_path_factory.mktemp(request.param)) as (address, _):
        yield address


@pytest.fixture
def sentinels(tmp_path: Path) -> Iterator[tuple[str, TlsServer]]:
    """The URL of sentinels with TLS, and their primary."""
    with deployment("sentinel", tmp_path) as running:
        yield running


def store_records(url: str) -> None:
    """Write and read as the job records do."""
    with client(RedisAddress.parse(url)) as redis:
        for key in KEYS:
            redis.set(key, key)
        assert [key.encode() for key in KEYS] == [redis.get(key) for key in KEYS]


def store_callbacks(url: str) -> None:
    """Write and read as the receiver does."""

    async def ask() -> None:
        redis = async_client(RedisAddress.parse(url), retry=AsyncRetry(NoBackoff(), 0))
        try:
            for key in KEYS:
                await redis.set(key, key)
            assert [key.encode() for key in KEYS] == [await redis.get(key) for key in KEYS]
        finally:
            await redis.aclose()

    asyncio.run(ask())


def reach_broker(url: str) -> None:
    """Connect as workers and as the receiver do."""
    worker = celery_app(url, redis={"socket_timeout": 5}, scheme=redis_transport.SCHEME)
    with worker, worker.connection_for_read() as connection:
        connection.connect()
    with publishing_app(url) as app, app.connection_for_write() as connection:
        connection.connect()


@pytest.mark.parametrize("store", [store_records, store_callbacks])
def test_every_server_is_reached_over_tls(url: str, store: Callable[[str], None]) -> None:
    """The authority of the URL counts for sentinels, for the primary and for each node."""
    store(url)


@pytest.mark.parametrize("store", [store_records, store_callbacks])
def test_an_unknown_authority_is_refused(url: str, store: Callable[[str], None]) -> None:
    """No server is used whose certificate cannot be verified."""
    with pytest.raises(RedisConnectionError):
        store(url.partition("ssl_ca_certs")[0].rstrip("?&"))


def test_the_broker_and_the_records_survive_a_failover(sentinels: tuple[str, TlsServer]) -> None:
    """Another primary is found over TLS, with what was stored before."""
    url, primary = sentinels
    reach_broker(url)
    with client(RedisAddress.parse(url)) as redis:
        redis.set("before", "here")
        assert 1 == redis.wait(1, 10_000)
        primary.server.kill()

        def elected() -> bool:
            with suppress(RedisConnectionError):
                return bool(redis.set("after", "here"))
            return False

        until(elected, "another primary", SECONDS)
        assert [b"here", b"here"] == redis.mget("before", "after")
    reach_broker(url)
