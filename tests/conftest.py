"""What tests of every kind stand on: a real Redis of their own and the simulated fal."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from redis import Redis

from infra.local.redis_server import RedisServer
from infra.local.simulation import Simulation, simulation
from worker.records import Records, connect


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One embedded Redis for the whole run."""
    with RedisServer.start(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The address of an empty Redis."""
    with Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url


@pytest.fixture
def records(redis_url: str) -> Iterator[Records]:
    """The job records of an empty Redis."""
    redis = connect(redis_url)
    yield Records(redis)
    redis.close()


@pytest.fixture(scope="session")
def media_cache() -> Path:
    """Clips that the simulated fal rendered once for all runs."""
    return Path(__file__).parents[1] / "var" / "media-cache"


@pytest.fixture
def start_fal(tmp_path: Path, media_cache: Path) -> Iterator[Callable[..., Simulation]]:
    """Starts a simulated fal with the given options; it ends with the test."""
    running: list[AbstractContextManager[Simulation]] = []

    def start(*options: str) -> Simulation:
        options = ("--media-cache", str(media_cache), *options)
        block = simulation(tmp_path / f"fal{len(running)}", lambda _name, _line: None, *options)
        found = block.__enter__()
        running.append(block)
        return found

    yield start
    for block in reversed(running):
        block.__exit__(None, None, None)
