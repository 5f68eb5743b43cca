"""What tests of every kind stand on: a real Redis of their own and the simulated fal."""

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from redis import Redis

from infra.local.fal_process import FalProcess, simulation
from infra.local.redis.server import RedisServer
from tests import ROOT
from tests.factories.cli import Run, furnished, runner
from tests.factories.world import ScriptedFal, World, world_on
from worker.jobs.store import JobStore, connect


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One process more than there are processors: much of the time goes to waiting.

    At most 4, since each starts programs of its own.
    """
    return min(4, 1 + (os.cpu_count() or 1))


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One embedded Redis for all tests of a process."""
    with RedisServer.start(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The address of an empty Redis."""
    with Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url


@pytest.fixture
def records(redis_url: str) -> Iterator[JobStore]:
    """The job records of an empty Redis."""
    redis = connect(redis_url)
    yield JobStore(redis)
    redis.close()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with files of a person."""
    directory = furnished(tmp_path / "home")
    monkeypatch.chdir(directory)
    return directory


@pytest.fixture
def run(home: Path, redis_url: str) -> Run:
    """Runs `falhook` in that directory, with a Redis that is empty at first."""
    return runner(home, redis_url)


@pytest.fixture
def fal() -> ScriptedFal:
    """fal, which accepts what it is sent and has no result."""
    return ScriptedFal()


@pytest.fixture
def world(redis_url: str, fal: ScriptedFal) -> Iterator[World]:
    """A pipeline on an empty Redis."""
    with world_on(redis_url, fal.fal) as found:
        yield found


@pytest.fixture(scope="session")
def media_cache() -> Path:
    """Clips that the simulated fal rendered once for all runs."""
    return ROOT / "var" / "media-cache"


@contextmanager
def _simulations(directory: Path, media_cache: Path) -> Iterator[Callable[..., FalProcess]]:
    with ExitStack() as running:
        numbers = itertools.count()

        def start(*options: str) -> FalProcess:
            options = ("--media-cache", str(media_cache), *options)
            block = simulation(directory / f"fal{next(numbers)}", lambda _n, _l: None, *options)
            found = running.enter_context(block)
            running.callback(_never_polled, found)
            return found

        yield start


def _never_polled(fal: FalProcess) -> None:
    assert 0 == fal.counts()["total"].get("status", 0), "a status address was asked"


@pytest.fixture
def start_fal(tmp_path: Path, media_cache: Path) -> Iterator[Callable[..., FalProcess]]:
    """Starts a simulated fal with the given options; it ends with the test."""
    with _simulations(tmp_path, media_cache) as start:
        yield start


@pytest.fixture(scope="module")
def module_fal(
    tmp_path_factory: pytest.TempPathFactory, media_cache: Path
) -> Iterator[Callable[..., FalProcess]]:
    """The same for one that serves all tests of a module."""
    with _simulations(tmp_path_factory.mktemp("fal"), media_cache) as start:
        yield start
