"""Fixtures of the fault tests: running systems."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.start import system
from tests.faults.system import StormSystem

FAST = ("--speed", "20", "--render-seconds", "10", "--concurrency", "200")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StormSystem]:
    """A system for all tests of a module; each test must leave it working."""
    with system(tmp_path_factory.mktemp("shared"), fal_options=FAST, deadline=20) as running:
        yield running


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., StormSystem]]:
    """Start a whole system that ends with the test."""
    with ExitStack() as running:

        def begin(**options: object) -> StormSystem:
            settings = {"fal_options": FAST, **options}
            return running.enter_context(system(tmp_path / "system", **settings))  # type: ignore[arg-type]

        yield begin
