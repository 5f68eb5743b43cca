"""Edit lists: what of a track is shown, and when (ISO/IEC 14496-12, 8.6.6)."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from worker.mp4.boxes import Box, invalid
from worker.mp4.numbers import MAX_GAP, MAX_SECONDS, seconds
from worker.mp4.samples import Samples

MAX_EDITS = 256  # entries of an edit list


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What is shown of a track: from when on and how long, in seconds, and how many samples."""

    start: float
    seconds: float
    samples: int


def shown(trak: Box, clock: int, timescale: int, held: Samples) -> Shown:
    """What the edit list shows of these samples; all of them where there is none.

    `clock` ticks for the movie, `timescale` for the track. As demuxers do, a sample counts where
    its beginning is shown, and times do not change with an edit's rate.
    """
    if (elst := trak.find("edts", "elst")) is None or not elst.u32(4):
        start = held.times[0] / timescale if held.times else 0.0
        return Shown(start=start, seconds=held.seconds, samples=held.count)
    waiting, ticks, samples = 0, 0, 0
    for lasting, begins in _edits(elst, clock):
        if begins < 0:
            waiting += 0 if samples else lasting
            continue
        # An edit of no length lasts to the end: fragments come after it was written.
        end = begins + round(lasting * timescale / clock) if lasting else held.ends
        samples += bisect_left(held.times, end) - bisect_left(held.times, begins)
        ticks += max(0, min(end, held.ends) - begins)
    return Shown(
        start=waiting / clock,
        seconds=seconds(ticks, timescale, limit=MAX_SECONDS, what="its edit list"),
        samples=max(0, samples),
    )


def _edits(elst: Box, clock: int) -> Iterator[tuple[int, int]]:
    """Of each edit: ticks of the movie's clock, and the track's time, below 0 where it waits."""
    wide = elst.body[0] == 1
    width = 8 if wide else 4
    count, stride = elst.u32(4), 2 * width + 4
    if 8 + count * stride > len(elst.body) or count > MAX_EDITS:
        raise invalid("its edit list claims more entries than it has, or than are read")
    for at in range(8, 8 + count * stride, stride):
        lasting = int.from_bytes(elst.body[at : at + width])
        begins = int.from_bytes(elst.body[at + width : at + 2 * width], signed=True)
        limit = MAX_GAP if begins < 0 else MAX_SECONDS
        seconds(lasting, clock, limit=limit, what="one of its edits")
        yield lasting, begins
