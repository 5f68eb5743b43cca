"""That H.264's packets are whole: NAL units, each after its length (ISO/IEC 14496-15, 5.3.3).

A header tells nothing of holes in the media data, and a stream that is copied is not decoded. A
stretch that was never written breaks the chain of lengths, wherever it lies.
"""

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

from worker.formats.mp4.boxes import Box, Walk, invalid
from worker.formats.mp4.chunks import bounds, chunks

_H264 = frozenset({"avc1", "avc3"})
_FORBIDDEN = 0x80  # the first bit of every NAL unit is 0 (ISO/IEC 14496-10, 7.4.1)


def intact(path: Path) -> bool:
    """Whether each sample of the first video track is NAL units to its last byte.

    True for a track that is not H.264, and of fragments, whose samples are not looked at. Reads
    the lengths alone. The file is one that `probe` lets pass; else `MediaError` is raised.
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
    """Bytes of the length before each NAL unit; 0 where the track is not H.264."""
    entry = walk.boxes(stbl.need("stsd").body[8:])[0]
    if entry.kind not in _H264:
        return 0
    inside = Box(entry.kind, entry.body, walk.boxes(entry.body[78:]))
    return 1 + (inside.need("avcC").body[4] & 3)


def _samples(stbl: Box) -> Iterator[tuple[int, int]]:
    """The first byte of each sample, and the first after it."""
    held = bounds(stbl)
    for begins, first, beyond in chunks(stbl):
        for sample in range(first, beyond):
            yield begins + held[sample] - held[first], begins + held[sample + 1] - held[first]


def _is_units(data: mmap.mmap, at: int, end: int, width: int) -> bool:
    while at + width < end:
        length, header = int.from_bytes(data[at : at + width]), data[at + width]
        if not length or not header or header & _FORBIDDEN:
            return False
        at += width + length
    return at == end
