"""Numbers out of boxes, each within the bounds of what is read."""

import sys
from array import array

from worker.formats.mp4.boxes import invalid

MAX_SECONDS = 600.0  # of a clip; the longest Kling makes are minutes
MAX_SAMPLES = 1 << 20  # of all tracks together: 600 s of 60 fps and AAC are 64 Ki


def numbers(body: memoryview, at: int, count: int, kind: str = "I") -> "array[int]":
    """`count` big-endian numbers at this byte; `MediaError` if the box has not room for them."""
    found = array(kind)
    end = at + count * found.itemsize
    if count > MAX_SAMPLES * 4 or end > len(body):
        raise invalid("one of its sample tables claims more entries than it has")
    found.frombytes(body[at:end])
    if sys.byteorder == "little":
        found.byteswap()
    return found


def seconds(ticks: int, timescale: int) -> float:
    """Ticks as seconds; `MediaError` if the clock does not tick."""
    if timescale < 1:
        raise invalid("one of its clocks has no ticks in a second")
    return ticks / timescale


def within(ticks: int, timescale: int, what: str) -> float:
    """Ticks as seconds; `MediaError` if they are more than a clip may last."""
    if (found := seconds(ticks, timescale)) > MAX_SECONDS:
        raise invalid(f"{what} is longer than {MAX_SECONDS:g} s")
    return found


def bound(count: int) -> None:
    """Return if this many samples are within what is read."""
    if count > MAX_SAMPLES:
        raise invalid(f"it claims {count} samples; at most {MAX_SAMPLES} are read")
