"""Waits of tracks: for how long after the movie's beginning a track shows nothing.

ffmpeg writes a wait as an empty edit (ISO/IEC 14496-12, 8.6.6). Players of segments ignore those
and place fragments by their tfdt boxes alone (8.8.12), so the wait is moved there.
https://www.w3.org/TR/mse-byte-stream-format-isobmff/#iso-init-segments
"""

import struct
from collections.abc import Mapping
from typing import BinaryIO

from worker.formats.mp4.boxes import Box, Extent, Walk, box, invalid
from worker.formats.mp4.edit_lists import edits

_NORMAL_RATE = 1 << 16  # of an edit, a fixed-point number
_WIDTHS = (4, 8)  # bytes of the time in a tfdt box of version 0 and 1


def waits(moov: Box) -> dict[int, int]:
    """Return the ticks of each track's clock for which it waits, by track ID."""
    clock = _clock(moov.need("mvhd"))
    found = {}
    for trak in moov.all("trak"):
        tkhd, ticks = trak.need("tkhd"), 0
        if elst := trak.find("edts", "elst"):
            ticks = sum(duration for duration, begins, _ in edits(elst) if begins < 0)
        number = tkhd.u32(20 if tkhd.body[0] == 1 else 12)
        found[number] = round(ticks * _clock(trak.need("mdia", "mdhd")) / clock)
    return found


def without_wait(elst: Box) -> bytes:
    """Return an edit list that shows the media from where this one does, without its wait."""
    begins = next((begins for _, begins, _ in edits(elst) if begins >= 0), 0)
    return box(b"elst", struct.pack(">IIQqI", 1 << 24, 1, 0, begins, _NORMAL_RATE))


def delay_fragment(file: BinaryIO, moof: Extent, walk: Walk, delays: Mapping[int, int]) -> None:
    """Add to the times of a fragment the ticks by which its tracks wait, in place.

    Raises `MediaError` (media_invalid) if a time does not fit into its box.
    """
    file.seek(moof.start)
    data = memoryview(bytearray(file.read(moof.size)))
    for traf in Box(moof.kind, data, walk.boxes(data[moof.header :])).all("traf"):
        delay = delays.get(traf.need("tfhd").u32(4), 0)
        tfdt = traf.need("tfdt").body
        width = _WIDTHS[min(tfdt[0], 1)]
        time = int.from_bytes(tfdt[4 : 4 + width]) + delay
        if time >= 1 << 8 * width:
            raise invalid("the time of one of its fragments is too large")
        tfdt[4 : 4 + width] = time.to_bytes(width)
    file.seek(moof.start)
    file.write(data)


def _clock(header: Box) -> int:
    """Return the ticks per second of an mvhd or mdhd box."""
    ticks = header.u32(20 if header.body[0] == 1 else 12)
    if not ticks:
        raise invalid("one of its clocks has no ticks in a second")
    return ticks
