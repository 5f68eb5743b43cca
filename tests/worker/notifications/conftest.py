"""Fixtures of notifications: a deployment, and a clock that only tests move."""

from collections.abc import Iterator

import pytest

from tests.factories.notifications import Told, told
from tests.factories.world import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    """A clock that only the test moves."""
    return ManualClock()


@pytest.fixture
def deployment(redis_url: str, clock: ManualClock) -> Iterator[Told]:
    """A deployment on an empty Redis."""
    with told(redis_url, clock) as created:
        yield created
