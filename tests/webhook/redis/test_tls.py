"""TLS of records and messages: verified by both libraries, unless the URL says otherwise."""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from infra.local.fal.tls import Certificates, issue
from infra.local.redis.server import RedisServer
from tests.factories.tls_proxy import tls_in_front_of
from webhook.contract import celery_app
from webhook.publisher import publishing_app
from webhook.redis.address import RedisAddress
from webhook.redis.clients import async_client, client
from webhook.redis.standing_connection import StandingConnection
from worker.broker import redis_transport


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    """An authority that no system knows, and a certificate of this machine by it."""
    return issue(tmp_path / "tls", "localhost")


@pytest.fixture
def url(redis_server: RedisServer, certificates: Certificates) -> Iterator[str]:
    """The URL of a Redis with TLS."""
    parts = urlsplit(redis_server.url)
    with tls_in_front_of(parts.port or 0, certificates.server) as port:
        yield f"rediss://:{parts.password}@localhost:{port}/0"


def reach_records(url: str) -> None:
    """Connect as the job records do."""
    with client(RedisAddress.parse(url), retry=Retry(NoBackoff(), 0)) as redis:
        redis.ping()


def reach_inbox(url: str) -> None:
    """Connect as the receiver does to store callbacks."""

    async def ask() -> None:
        retry = AsyncRetry(NoBackoff(), 0)
        redis = async_client(RedisAddress.parse(url), retry=retry)
        try:
            connection = StandingConnection(redis.connection_pool)
            for _ in range(2):
                assert [b"PONG"] == await connection.ask([("PING",)])
        finally:
            await redis.aclose()

    asyncio.run(ask())


def reach_broker_as_worker(url: str) -> None:
    """Connect as workers do."""
    app = celery_app(url, redis={"socket_timeout": 5}, scheme=redis_transport.SCHEME)
    with app, app.connection_for_read() as connection:
        connection.connect()


def reach_broker_as_receiver(url: str) -> None:
    """Connect as the receiver does."""
    with publishing_app(url) as app, app.connection_for_write() as connection:
        connection.connect()


EVERYONE = pytest.mark.parametrize(
    "reach", [reach_records, reach_inbox, reach_broker_as_worker, reach_broker_as_receiver]
)


@EVERYONE
def test_an_unknown_authority_is_refused(url: str, reach: Callable[[str], None]) -> None:
    """Nobody between can read or change paid results."""
    with pytest.raises(RedisConnectionError, match=r"CERTIFICATE_VERIFY_FAILED|certificate verify"):
        reach(url)


@EVERYONE
@pytest.mark.parametrize("option", ["ssl_ca_certs={ca}", "ssl_cert_reqs=none"])
def test_the_url_may_name_the_authority_or_waive_it(
    url: str, certificates: Certificates, reach: Callable[[str], None], option: str
) -> None:
    """A private authority is named by its file; no verification has to be asked for."""
    reach(f"{url}?{option.format(ca=certificates.ca_file)}")


@EVERYONE
def test_a_certificate_of_another_host_is_refused(
    tmp_path: Path, redis_server: RedisServer, reach: Callable[[str], None]
) -> None:
    """The name in the certificate counts, unless the URL says otherwise."""
    authority = trustme.CA()
    ca = tmp_path / "other.pem"
    authority.cert_pem.write_to_path(str(ca))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("redis.example.com").configure_cert(context)
    parts = urlsplit(redis_server.url)
    with tls_in_front_of(parts.port or 0, context) as port:
        other = f"rediss://:{parts.password}@localhost:{port}/0?ssl_ca_certs={ca}"
        with pytest.raises(RedisConnectionError, match=r"Hostname mismatch|doesn't match"):
            reach(other)
        reach(f"{other}&ssl_check_hostname=false")
