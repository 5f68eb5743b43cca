"""Cursors that Redis keeps under a name."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from api.events.positions import START, Cursor, Positions
from api.events.stored_cursors import MOST, StoredCursors, TooManyCursors
from tests.api.events.conftest import Happen
from tests.factories.world import ManualClock
from webhook.shards import shard_of
from worker.jobs.store import JobStore


@pytest.fixture
def clock() -> ManualClock:
    """A clock that does not move by itself."""
    return ManualClock()


@pytest.fixture
def cursors(records: JobStore, clock: ManualClock) -> StoredCursors:
    """The cursors of an empty Redis."""
    return StoredCursors(records.redis, clock=clock)


def at(ms: int, shard: int = 1) -> Positions:
    """Return positions with this place in one stream."""
    return START.after({shard: (ms, 0)})


def test_a_new_cursor_begins_at_the_oldest_event(cursors: StoredCursors, happen: Happen) -> None:
    """It is stored then, so that what is forgotten later is known to be a gap."""
    happen("a")
    new = cursors.get("default", "billing")
    happen("b")
    assert ((0, 0), new) == (
        min(new.positions.places),
        cursors.get("default", "billing"),
    )
    assert (0, 0) < new.positions.places[shard_of("job1")]


def test_an_acknowledgement_moves_no_stream_back(
    cursors: StoredCursors, clock: ManualClock
) -> None:
    """Late and doubled ones change nothing else."""
    cursors.acknowledge("default", "billing", Cursor(at(5)))
    clock.forward(60)
    moved = cursors.acknowledge("default", "billing", Cursor(at(3).joined(at(9, 2))))
    assert (at(5).joined(at(9, 2)), clock.now, moved) == (
        moved.positions,
        moved.acknowledged,
        cursors.get("default", "billing"),
    )


def test_a_reset_moves_it_back(cursors: StoredCursors) -> None:
    """Only if it is asked for."""
    cursors.acknowledge("default", "billing", Cursor(at(5)))
    cursors.acknowledge("default", "billing", Cursor(at(3)), reset=True)
    assert at(3) == cursors.get("default", "billing").positions


def test_no_acknowledgement_is_lost_among_others(cursors: StoredCursors) -> None:
    """Several readers of one cursor may acknowledge at the same moment."""
    with ThreadPoolExecutor(4) as pool:
        list(
            pool.map(
                lambda shard: cursors.acknowledge("default", "billing", Cursor(at(7, shard))),
                range(16),
            )
        )
    assert {(7, 0)} == set(cursors.get("default", "billing").positions.places[:16])


def test_each_tenant_has_its_own(cursors: StoredCursors) -> None:
    """Their names do not meet, and neither sees those of the other."""
    cursors.acknowledge("acme", "billing", Cursor(at(5)))
    cursors.acknowledge("default", "billing", Cursor(at(3)))
    cursors.acknowledge("default", "audit", Cursor(at(4)))
    assert ([("billing", at(5))], [("audit", at(4)), ("billing", at(3))]) == tuple(
        [(each.name, each.positions) for each in cursors.listed(tenant)]
        for tenant in ("acme", "default")
    )


def test_a_deleted_cursor_is_forgotten(cursors: StoredCursors) -> None:
    """Deleting another time says that there is none."""
    cursors.acknowledge("default", "billing", Cursor(at(5)))
    assert [False, True, False] == [
        cursors.delete(*each)
        for each in (("acme", "billing"), ("default", "billing"), ("default", "billing"))
    ]


def test_a_tenant_has_a_limited_number_of_cursors(cursors: StoredCursors) -> None:
    """Those that there are can still be moved."""
    for number in range(MOST):
        cursors.acknowledge("default", f"c{number}", Cursor(at(1)))
    with pytest.raises(TooManyCursors, match="delete one"):
        cursors.get("default", "another")
    with pytest.raises(TooManyCursors, match="delete one"):
        cursors.acknowledge("default", "another", Cursor(at(1)))
    assert at(2) == cursors.acknowledge("default", "c0", Cursor(at(2))).positions


@pytest.mark.parametrize("name", ["", "-a", "a" * 65, "a b", "ä", "a\n", "a:b", "a/b"])
def test_a_name_is_short_and_plain(cursors: StoredCursors, name: str) -> None:
    """Any other one is refused with what to write."""
    for use in (cursors.get, cursors.delete):
        with pytest.raises(ValueError, match="use up to 64"):
            use("default", name)
