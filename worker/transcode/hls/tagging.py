"""Tagging of a fragmented MP4, before its first fragment, where players read first.

The waits of its tracks are moved to where players of segments read them.
"""

import shutil
import struct
from pathlib import Path
from typing import BinaryIO

from worker.formats.mp4 import Stamp
from worker.formats.mp4.boxes import Box, Extent, Walk, box, invalid
from worker.formats.mp4.rewrite import XMP
from worker.transcode.hls.waits import delay_fragment, waits, without_wait


def tag(source: Path, target: Path, stamp: Stamp) -> None:
    """Write `source`, an output of ffmpeg, to `target`, with this stamp as its only tags.

    The fragments are copied, and only their times may change: their offsets count from their own
    beginning. Raises `MediaError` (media_invalid) unless the file begins with its movie header.
    """
    with source.open("rb") as file, target.open("w+b") as output:
        try:
            _tag(file, source.stat().st_size, output, stamp)
        except (struct.error, IndexError) as error:
            raise invalid("a box is shorter than the fields it must hold") from error


def _tag(file: BinaryIO, length: int, output: BinaryIO, stamp: Stamp) -> None:
    walk = Walk()
    extents = list(walk.extents(file, length))
    if [extent.kind for extent in extents[:2]] != ["ftyp", "moov"]:
        raise invalid("it does not begin with its movie header")
    moov = walk.load(file, extents[1])
    delays = waits(moov)
    file.seek(0)
    output.write(file.read(extents[0].size) + _tagged(moov, stamp))
    rest = extents[1].start + extents[1].size
    moved = output.tell() - rest
    file.seek(rest)
    shutil.copyfileobj(file, output)
    for moof in extents if any(delays.values()) else ():
        if moof.kind == "moof":
            delay_fragment(output, _shifted(moof, moved), walk, delays)


def _shifted(extent: Extent, by: int) -> Extent:
    start = extent.start + by
    return Extent(kind=extent.kind, start=start, header=extent.header, size=extent.size)


def _tagged(moov: Box, stamp: Stamp) -> bytes:
    """Return the movie header with this stamp and without waits, and the XMP packet."""
    kept = (_bytes(child) for child in moov.children if child.kind != "udta")
    return box(b"moov", *kept, stamp.udta) + box(b"uuid", XMP, stamp.xmp)


def _bytes(child: Box) -> bytes:
    if child.kind == "elst":
        return without_wait(child)
    if child.kind in {"trak", "edts"}:
        return box(child.kind.encode("latin-1"), *map(_bytes, child.children))
    return box(child.kind.encode("latin-1"), bytes(child.body))
