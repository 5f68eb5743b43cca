"""What fault tests share."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.start import system
from tests.faults.system import StormSystem

FAST = ("--speed", "20", "--render-seconds", "10", "--concurrency", "200")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StormSystem]:
    """One system for a module whose tests leave it whole."""
    with system(tmp_path_factory.mktemp("shared"), fal_options=FAST, deadline=20) as running:
        yield running


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., StormSystem]]:
    """Starts the whole system; it ends with the test."""
    with ExitStack() as running:

        def begin(**options: object) -> StormSystem:
            given = {"fal_options": FAST, **options}
            return running.enter_context(system(tmp_path / "system", **given))  # type: ignore[arg-type]

        yield begin
