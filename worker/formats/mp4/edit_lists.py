"""Edit lists: what of a track is shown, and when (ISO/IEC 14496-12, 8.6.6)."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from worker.formats.mp4.bounded_numbers import seconds, within
from worker.formats.mp4.boxes import Box, invalid, unhandled
from worker.formats.mp4.sample_tables import Samples

MAX_EDITS = 256  # entries of an edit list


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentedRange:
    """What is shown of a track: from when on and how long, in seconds, and how many samples.

    `parts`: how many edits show something. `hidden`: samples before the first of them.
    """

    start: float
    seconds: float
    samples: int
    parts: int = 1
    hidden: int = 0


def shown(trak: Box, clock: int, timescale: int, held: Samples) -> PresentedRange:
    """What the edit list shows of these samples; all of them where there is none.

    `clock` ticks for the movie, `timescale` for the track. As demuxers do, a sample counts where
    its beginning is shown, and times do not change with an edit's rate. Raises
    `UnsupportedMedia` where ffmpeg shows something else than players: of a pause the beginning,
    of a held picture what comes after it.
    """
    if (elst := trak.find("edts", "elst")) is None or not elst.u32(4):
        start = held.times[0] / timescale if held.times else 0.0
        return PresentedRange(start=start, seconds=held.seconds, samples=held.count)
    waiting, ticks, samples, parts, hidden = 0, 0, 0, 0, 0
    edits = list(_edits(elst))
    for lasting, begins, rate in edits:
        if begins < 0:
            if parts:
                raise unhandled("its edit list pauses in the middle")
            waiting += lasting
            continue
        if not rate and len(edits) > 1:
            raise unhandled("its edit list holds a picture")
        parts += 1
        hidden = hidden if parts > 1 else bisect_left(held.times, begins)
        # An edit of no length lasts to the end: fragments come after it was written.
        end = begins + round(lasting * timescale / clock) if lasting else held.ends
        samples += bisect_left(held.times, end) - bisect_left(held.times, begins)
        ticks += max(0, min(end, held.ends) - begins)
    return PresentedRange(
        start=within(waiting, clock, "the wait of one of its edits"),
        seconds=seconds(ticks, timescale),
        samples=max(0, samples),
        parts=parts,
        hidden=hidden,
    )


def _edits(elst: Box) -> Iterator[tuple[int, int, int]]:
    """Of each edit: ticks of the movie's clock, the track's time (below 0: it waits), the rate.

    Ticks may be below 0 and wrapped: ffmpeg writes so for what had ended before a cut.
    """
    wide = elst.body[0] == 1
    width = 8 if wide else 4
    count, stride = elst.u32(4), 2 * width + 4
    if 8 + count * stride > len(elst.body) or count > MAX_EDITS:
        raise invalid("its edit list claims more entries than it has, or than are read")
    for at in range(8, 8 + count * stride, stride):
        lasting = int.from_bytes(elst.body[at : at + width])
        begins = int.from_bytes(elst.body[at + width : at + 2 * width], signed=True)
        yield lasting, begins, int.from_bytes(elst.body[at + 2 * width : at + stride])
