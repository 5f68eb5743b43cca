"""The integrity of H.264 packets: NAL units, each after its length (ISO/IEC 14496-15, 5.3.3).

Headers do not show holes in the media data, and a stream that is copied is not decoded. A range
that was never written breaks the chain of lengths, wherever it is.
"""

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

from worker.formats.mp4.boxes import Box, Walk, invalid
from worker.formats.mp4.chunks import chunks, sample_bounds

_H264 = frozenset({"avc1", "avc3"})
_FORBIDDEN = 0x80  # the first bit of every NAL unit is 0 (ISO/IEC 14496-10, 7.4.1)


def intact(path: Path) -> bool:
    """Return whether each sample of the first video track consists of NAL units to its last byte.

    True for a track that is not H.264; samples of fragments are not read. Only the lengths of NAL
    units are read. Raises `MediaError` for a file that `probe` refuses.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            walk = Walk()
            extents = walk.extents(file, len(data))
            moov = next((walk.load(file, box) for box in extents if box.kind == "moov"), None)
            trak = moov and next(filter(_is_video, moov.all("trak")), None)
            if trak is None:
                raise invalid("it has no video track")
            stbl = trak.need("mdia", "minf", "stbl")
            width = _width(stbl, walk)
            return not width or all(_is_units(data, at, end, width) for at, end in _samples(stbl))
        except (struct.error, IndexError) as error:
            raise invalid("a box is shorter than the fields it must hold") from error


def _is_video(trak: Box) -> bool:
    return bytes(trak.need("mdia", "hdlr").body[8:12]) == b"vide"


def _width(stbl: Box, walk: Walk) -> int:
    """Return the bytes of the length before each NAL unit; 0 if the track is not H.264."""
    entry = walk.boxes(stbl.need("stsd").body[8:])[0]
    if entry.kind not in _H264:
        return 0
    inside = Box(entry.kind, entry.body, walk.boxes(entry.body[78:]))
    return 1 + (inside.need("avcC").body[4] & 3)


def _samples(stbl: Box) -> Iterator[tuple[int, int]]:
    """Yield the first byte of each sample, and the first after it."""
    bounds = sample_bounds(stbl)
    for begins, first, beyond in chunks(stbl):
        for sample in range(first, beyond):
            origin = begins - bounds[first]
            yield origin + bounds[sample], origin + bounds[sample + 1]


def _is_units(data: mmap.mmap, at: int, end: int, width: int) -> bool:
    while at + width < end:
        length, header = int.from_bytes(data[at : at + width]), data[at + width]
        if not length or not header or header & _FORBIDDEN:
            return False
        at += width + length
    return at == end
