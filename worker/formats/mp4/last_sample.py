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


def claimed(clock: Clock, excess: int) -> int:
    """Return the ticks that a header claims; 0 (unknown) if a last sample has an excess in them."""
    return 0 if excess and clock.ticks > MAX_SECONDS * clock.timescale else clock.ticks


def end_last_samples(moov: Box) -> None:
    """Let last samples end with the last edit, in place; the boxes' bodies must be writable.

    Headers that count their excess no longer state a duration.
    """
    movie = moov.need("mvhd")
    for trak in moov.all("trak"):
        if not (excess := excess_of(moov, trak)):
            continue
        stts, media = trak.need("mdia", "minf", "stbl", "stts"), trak.need("mdia", "mdhd")
        at = 8 * stts.u32(4) + 4
        struct.pack_into(">I", stts.body, at, stts.u32(at) - excess)
        for header in (media, movie):
            clock = clock_of(header)
            clock.write(header, claimed(clock, excess))
