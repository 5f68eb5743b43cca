"""Records on a real Redis."""

from collections.abc import Iterator

import pytest

from tests.factories.world import ManualClock
from worker.jobs.store import JobStore, connect


@pytest.fixture
def clock() -> ManualClock:
    """A clock that does not move by itself."""
    return ManualClock()


@pytest.fixture
def records(redis_url: str, clock: ManualClock) -> Iterator[JobStore]:
    """Records on an empty Redis."""
    with connect(redis_url) as redis:
        yield JobStore(redis, clock=clock)
