"""Last samples that never end: an encoder that was stopped leaves any number as their duration.

Where an edit list says what is shown, players stop there (ISO/IEC 14496-12, 8.6.6).
"""

import struct

from worker.formats.mp4.bounded_numbers import MAX_SECONDS, numbers
from worker.formats.mp4.boxes import Box
from worker.formats.mp4.clocks import Clock, clock_of
from worker.formats.mp4.edit_lists import shown_until


def excess_of(moov: Box, trak: Box) -> int:
    """Return the ticks by which a track's last sample ends after the last edit.

    It is 0 unless no clip is as long as the track's samples would be.
    """
    movie, media = clock_of(moov.need("mvhd")), clock_of(trak.need("mdia", "mdhd"))
    stts = trak.need("mdia", "minf", "stbl", "stts")
    times = numbers(stts.body, 8, 2 * stts.u32(4))
    counts, deltas = times[::2], times[1::2]
    ticks = sum(n * delta for n, delta in zip(counts, deltas, strict=True))
    if not counts or counts[-1] != 1 or ticks <= MAX_SECONDS * media.timescale:
        return 0
    until = shown_until(trak, movie.timescale, media.timescale)
    return 0 if until is None else max(0, min(ticks - until, deltas[-1] - 1))


def without_excess(clock: Clock, seconds: float) -> int:
    """Return the ticks that a header claims, without the seconds that a last sample adds."""
    if clock.ticks <= MAX_SECONDS * clock.timescale:
        return clock.ticks
    return max(0, clock.ticks - round(seconds * clock.timescale))


def end_last_samples(moov: Box) -> None:
    """Let last samples end with the last edit, in place; the boxes' bodies must be writable."""
    excesses = [excess_of(moov, trak) for trak in moov.all("trak")]
    for trak, excess in zip(moov.all("trak"), excesses, strict=True):
        if not excess:
            continue
        stts = trak.need("mdia", "minf", "stbl", "stts")
        at = 8 * stts.u32(4) + 4
        struct.pack_into(">I", stts.body, at, stts.u32(at) - excess)
        seconds = excess / clock_of(trak.need("mdia", "mdhd")).timescale
        for header in (trak.need("mdia", "mdhd"), moov.need("mvhd")):
            clock = clock_of(header)
            clock.write(header, without_excess(clock, seconds))
