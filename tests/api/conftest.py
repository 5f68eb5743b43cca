"""Fixtures of the API: a real process on a real Redis."""

from collections.abc import Iterator

import pytest
from redis import Redis

from infra.local.redis.server import RedisServer
from tests.factories.apis import RunningApi, api, api_environment


@pytest.fixture(scope="module")
def running(
    redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningApi]:
    """One API for the tests of a module, on a Redis that is empty at first."""
    with Redis.from_url(redis_server.url) as client:
        client.flushall()
    with api(api_environment(redis_server.url, tmp_path_factory.mktemp("api"))) as started:
        yield started
