"""Edit lists: the parts of a track that are shown, and when (ISO/IEC 14496-12, 8.6.6)."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from worker.formats.mp4.bounded_numbers import bounded_seconds, seconds
from worker.formats.mp4.boxes import Box, invalid, unsupported
from worker.formats.mp4.sample_tables import Samples

MAX_EDITS = 256  # entries of an edit list


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentedRange:
    """The presented part of a track: its start and length in seconds, and its samples.

    `parts`: the number of edits that show something. `hidden`: samples before the first of them.
    """

    start: float
    seconds: float
    samples: int
    parts: int = 1
    hidden: int = 0


def presented_range(trak: Box, clock: int, timescale: int, track: Samples) -> PresentedRange:
    """Return what the edit list shows of these samples: all of them without an edit list.

    `clock`: ticks per second of the movie; `timescale`: those of the track. As in demuxers, a
    sample counts if its start is shown, and an edit's rate does not change times. Raises
    `UnsupportedMedia` where ffmpeg and players differ: ffmpeg shows the beginning in place of a
    pause, and what follows a frozen frame in place of it.
    """
    if (elst := trak.find("edts", "elst")) is None or not elst.u32(4):
        start = track.times[0] / timescale if track.times else 0.0
        return PresentedRange(start=start, seconds=track.seconds, samples=_seen(track.count, track))
    seconds(0, clock)  # refuses a clock that stands still
    waiting, late, ticks, samples, parts, hidden = 0, 0, 0, 0, 0, 0
    listed = list(edits(elst))
    for duration, begins, rate in listed:
        if begins < 0:
            if parts:
                raise unsupported("its edit list pauses in the middle")
            waiting += duration
            continue
        if not rate and len(listed) > 1:
            raise unsupported("its edit list freezes a frame")
        parts += 1
        hidden = hidden if parts > 1 else bisect_left(track.times, begins)
        # An edit of length 0 lasts to the end: fragments are added after it was written.
        end = begins + round(duration * timescale / clock) if duration else track.ends
        samples += bisect_left(track.times, end) - bisect_left(track.times, begins)
        # Fragments may begin later than their edit list: that is a wait, too.
        first = max(begins, track.times[0] if track.times else begins)
        late = first - begins if parts == 1 else late
        ticks += max(0, min(end, track.ends) - first)
    start = bounded_seconds(waiting, clock, "the delay of one of its edits")
    return PresentedRange(
        start=start + bounded_seconds(late, timescale, "the delay of one of its tracks"),
        seconds=seconds(ticks, timescale),
        samples=_seen(samples, track),
        parts=parts,
        hidden=hidden,
    )


def _seen(samples: int, track: Samples) -> int:
    """Return how many of these samples are seen: at least one, if there are any."""
    return max(min(1, samples), samples - track.unseen, 0)


def shown_until(trak: Box, clock: int, timescale: int) -> int | None:
    """Return the track's time at which its last edit ends; None if nothing states it."""
    elst = trak.find("edts", "elst")
    listed = list(edits(elst)) if elst and clock else []
    ends = [begins + round(ticks * timescale / clock) for ticks, begins, _ in listed if begins >= 0]
    return max(ends) if ends and all(duration for duration, _, _ in listed) else None


def edits(elst: Box) -> Iterator[tuple[int, int, int]]:
    """Yield for each edit its ticks of the movie's clock, the track's time (-1: a delay), its rate.

    Ticks may be a negative number that wrapped: ffmpeg writes that for a track that had ended
    before a cut.
    """
    wide = elst.body[0] == 1
    width = 8 if wide else 4
    count, stride = elst.u32(4), 2 * width + 4
    if 8 + count * stride > len(elst.body) or count > MAX_EDITS:
        raise invalid(f"its edit list claims more entries than it has, or more than {MAX_EDITS}")
    for at in range(8, 8 + count * stride, stride):
        duration = int.from_bytes(elst.body[at : at + width])
        begins = int.from_bytes(elst.body[at + width : at + 2 * width], signed=True)
        yield duration, begins, int.from_bytes(elst.body[at + 2 * width : at + stride])
