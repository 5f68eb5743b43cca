"""Numbers in boxes, within the limits of what is read."""

import sys
from array import array

from worker.formats.mp4.boxes import invalid

MAX_SECONDS = 600.0  # of a clip; the longest that Kling generates are minutes
MAX_SAMPLES = 1 << 20  # of all tracks together: 600 s of 60 fps and AAC are 64 Ki


def numbers(body: memoryview, at: int, count: int, kind: str = "I") -> "array[int]":
    """Return `count` big-endian numbers at offset `at`; `MediaError` if the box is too short."""
    values = array(kind)
    end = at + count * values.itemsize
    if count > MAX_SAMPLES * 4 or end > len(body):
        raise invalid("one of its sample tables claims more entries than it has")
    values.frombytes(body[at:end])
    if sys.byteorder == "little":
        values.byteswap()
    return values


def seconds(ticks: int, timescale: int) -> float:
    """Return ticks as seconds; `MediaError` if the timescale is 0."""
    if timescale < 1:
        raise invalid("one of its clocks has a timescale of 0")
    return ticks / timescale


def bounded_seconds(ticks: int, timescale: int, what: str) -> float:
    """Return ticks as seconds; `MediaError` if they exceed MAX_SECONDS."""
    if (duration := seconds(ticks, timescale)) > MAX_SECONDS:
        raise invalid(f"{what} is longer than {MAX_SECONDS:g} s")
    return duration


def bound(count: int) -> None:
    """Raise `MediaError` for more samples than are read."""
    if count > MAX_SAMPLES:
        raise invalid(f"it claims {count} samples; at most {MAX_SAMPLES} are read")
