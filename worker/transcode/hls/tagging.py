"""The tags of a fragmented MP4, before its first fragment, in what a player reads at the start."""

import shutil
import struct
from pathlib import Path
from typing import BinaryIO

from worker.formats.mp4 import Stamp
from worker.formats.mp4.boxes import Box, Walk, box, invalid
from worker.formats.mp4.rewrite import XMP


def tag(source: Path, target: Path, stamp: Stamp) -> None:
    """Write `source`, which ffmpeg made, to `target`, with this stamp and no other.

    Its fragments follow as they are: their offsets count from their own beginning. Raises
    `Permanent` (media_invalid) where no movie header comes first.
    """
    with source.open("rb") as file, target.open("wb") as out:
        try:
            head, rest = _tagged(file, source.stat().st_size, stamp)
        except (struct.error, IndexError) as error:
            raise invalid("a box is shorter than the fields it must hold") from error
        out.write(head)
        file.seek(rest)
        shutil.copyfileobj(file, out)


def _tagged(file: BinaryIO, length: int, stamp: Stamp) -> tuple[bytes, int]:
    """The new beginning, and the byte of the file that comes after it."""
    walk = Walk()
    extents = list(walk.extents(file, length))
    if [extent.kind for extent in extents[:2]] != ["ftyp", "moov"]:
        raise invalid("it does not begin with its movie header")
    file.seek(0)
    ftyp = file.read(extents[0].size)
    moov = walk.load(file, extents[1])
    kept = (_bytes(inside) for inside in moov.children if inside.kind != "udta")
    packet = box(b"uuid", XMP, stamp.xmp)
    return ftyp + box(b"moov", *kept, stamp.udta) + packet, extents[1].start + extents[1].size


def _bytes(inside: Box) -> bytes:
    return box(inside.kind.encode("latin-1"), bytes(inside.body))
