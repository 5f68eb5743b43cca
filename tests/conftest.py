"""Fixtures for all tests: a real Redis for each process, and the simulated fal."""

import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from redis import Redis

from infra.local.fal_process import FalProcess, simulation
from infra.local.redis.server import RedisServer
from infra.local.stack import stack
from tests import ROOT
from tests.factories.cli import Run, furnished, runner
from tests.factories.world import ScriptedFal, World, world_on
from worker.jobs.store import JobStore, connect


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return the number of processors plus one, since tests often wait.

    At most 4, since each process starts further programs.
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
    """The working directory, with a user's files."""
    directory = furnished(tmp_path / "home")
    monkeypatch.chdir(directory)
    return directory


@pytest.fixture
def run(home: Path, redis_url: str) -> Run:
    """A function that runs `falhook` in that directory, on a Redis that is empty at first."""
    return runner(home, redis_url)


@pytest.fixture
def fal() -> ScriptedFal:
    """A scripted fal, which accepts every job and has no results."""
    return ScriptedFal()


@pytest.fixture
def world(redis_url: str, fal: ScriptedFal) -> Iterator[World]:
    """A pipeline on an empty Redis."""
    with world_on(redis_url, fal.fal) as created:
        yield created


@pytest.fixture(scope="session")
def media_cache() -> Path:
    """The directory of clips that the simulated fal renders once for all runs."""
    return ROOT / "var" / "media-cache"


@contextmanager
def _simulations(directory: Path, media_cache: Path) -> Iterator[Callable[..., FalProcess]]:
    with ExitStack() as running:
        numbers = itertools.count()

        def start(*options: str) -> FalProcess:
            options = ("--media-cache", str(media_cache), *options)
            block = simulation(directory / f"fal{next(numbers)}", lambda _n, _l: None, *options)
            fal = running.enter_context(block)
            running.callback(_require_no_polls, fal)
            return fal

        yield start


def _require_no_polls(fal: FalProcess) -> None:
    assert 0 == fal.counts()["total"].get("status", 0), "a job's status was requested"


@pytest.fixture
def start_fal(tmp_path: Path, media_cache: Path) -> Iterator[Callable[..., FalProcess]]:
    """A function that starts a simulated fal with options; it ends with the test."""
    with _simulations(tmp_path, media_cache) as start:
        yield start


@pytest.fixture(scope="module")
def module_fal(
    tmp_path_factory: pytest.TempPathFactory, media_cache: Path
) -> Iterator[Callable[..., FalProcess]]:
    """The same, for a simulated fal that ends with the module."""
    with _simulations(tmp_path_factory.mktemp("fal"), media_cache) as start:
        yield start


@pytest.fixture(scope="module")
def stack_settings(
    tmp_path_factory: pytest.TempPathFactory, media_cache: Path
) -> Iterator[Mapping[str, str]]:
    """The environment that `make local` writes for other shells."""
    directory = tmp_path_factory.mktemp("stack")
    environ = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
    fal = ("--render-seconds", "0.5", "--media-cache", str(media_cache))
    with stack(directory, lambda _name, _line: None, environ=environ, fal_options=fal) as running:
        yield running.settings
