"""Tagging of a fragmented MP4, before its first fragment, where players read first."""

import shutil
import struct
from pathlib import Path
from typing import BinaryIO

from worker.formats.mp4 import Stamp
from worker.formats.mp4.boxes import Box, Walk, box, invalid
from worker.formats.mp4.rewrite import XMP


def tag(source: Path, target: Path, stamp: Stamp) -> None:
    """Write `source`, an output of ffmpeg, to `target`, with this stamp as its only tags.

    The fragments are copied unchanged: their offsets count from their own beginning. Raises
    `MediaError` (media_invalid) unless the file begins with its movie header.
    """
    with source.open("rb") as file, target.open("wb") as output:
        try:
            header, rest = _tagged_header(file, source.stat().st_size, stamp)
        except (struct.error, IndexError) as error:
            raise invalid("a box is shorter than the fields it must hold") from error
        output.write(header)
        file.seek(rest)
        shutil.copyfileobj(file, output)


def _tagged_header(file: BinaryIO, length: int, stamp: Stamp) -> tuple[bytes, int]:
    """Return the new boxes before the first fragment, and the offset of the rest of the file."""
    walk = Walk()
    extents = list(walk.extents(file, length))
    if [extent.kind for extent in extents[:2]] != ["ftyp", "moov"]:
        raise invalid("it does not begin with its movie header")
    file.seek(0)
    ftyp = file.read(extents[0].size)
    moov = walk.load(file, extents[1])
    kept = (_bytes(child) for child in moov.children if child.kind != "udta")
    packet = box(b"uuid", XMP, stamp.xmp)
    return ftyp + box(b"moov", *kept, stamp.udta) + packet, extents[1].start + extents[1].size


def _bytes(child: Box) -> bytes:
    return box(child.kind.encode("latin-1"), bytes(child.body))
