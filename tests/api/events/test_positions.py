"""Event ids and cursors as texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.events.positions import MARGIN, START, Cursor, EventId, Positions

MS = st.integers(0, 2**48 - 1)
SEQ = st.integers(0, 2**64 - 1)
POSITIONS = st.dictionaries(st.integers(0, 63), st.tuples(MS, SEQ), max_size=5).map(START.after)


@given(POSITIONS)
def test_a_cursor_is_decoded_as_it_was_encoded(positions: Positions) -> None:
    """Encoding loses nothing, and the text needs no escape in a URL."""
    text = positions.encode()
    assert (positions, True) == (
        Cursor.parse(text).positions,
        text.replace("-", "").replace("_", "").isalnum(),
    )


def test_a_cursor_of_recent_events_is_short() -> None:
    """Positions within a day fit into 600 characters."""
    day = 86_400_000
    places = tuple((1_764_500_000_000 + day * n // 64, n) for n in range(64))
    assert len(Positions(places).encode()) <= 600


@given(st.builds(EventId, MS, SEQ, st.integers(0, 63)))
def test_an_event_id_is_parsed_as_it_was_written(event: EventId) -> None:
    """An id names the entry and the shard."""
    assert event == EventId.parse(str(event))


@given(st.builds(EventId, st.integers(MARGIN, 2**48), SEQ, st.integers(0, 63)))
def test_a_client_with_an_event_goes_on_before_it(event: EventId) -> None:
    """Each stream is read from 5 s before the event."""
    assert {(event.ms - MARGIN, 0)} == set(Cursor.parse(str(event)).positions.places)


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "1-2", "1-2@", "@", "1-2@40", "1-2@zz", "01-2@00", "1-2@0A", "-1-2@00", "1-2@1"),
        *(" 1-2@00", "1-2@00\n", "٣-2@00", f"1-{2**64}@00", "9" * 5_000 + "-0@00"),
        *("AQ", "é", START.encode()[:-1], START.encode() + "A", "B" + START.encode()[1:]),
        "A" * 3_000,
    ],
)
def test_other_texts_are_no_cursors(text: str) -> None:
    """A foreign, damaged or endless text raises one ValueError."""
    with pytest.raises(ValueError, match="is not"):
        Cursor.parse(text)


@given(POSITIONS, POSITIONS)
def test_joined_positions_have_read_what_either_has(one: Positions, other: Positions) -> None:
    """Joining never moves a stream back, in whichever order."""
    joined = one.joined(other)
    assert (joined, True) == (
        other.joined(one),
        all(place >= old for place, old in zip(joined.places, one.places, strict=True)),
    )
