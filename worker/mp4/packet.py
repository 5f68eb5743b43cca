"""The XMP packet of an MP4, wherever it stands (XMP Specification Part 3, 1.1.5)."""

from pathlib import Path

from worker.mp4.boxes import Box, Walk
from worker.mp4.rewrite import XMP

MAX_READ = 2 << 20  # bytes of a packet that are read: more than is taken apart


def xmp_of(path: Path) -> bytes:
    """The packet of the file, b"" for none; `Permanent` where its boxes do not fit."""
    walk = Walk()
    with path.open("rb") as file:
        for extent in walk.extents(file, path.stat().st_size):
            file.seek(extent.start + extent.header)
            held = extent.size - extent.header - len(XMP)
            if extent.kind == "uuid" and held >= 0 and file.read(len(XMP)) == XMP:
                return file.read(min(held, MAX_READ))
            if extent.kind == "moov" and (packet := _inside(walk.load(file, extent), walk)):
                return packet
    return b""


def _inside(moov: Box, walk: Walk) -> bytes:
    """Where QuickTime has it."""
    for held in moov.all("udta"):
        for inside in walk.boxes(held.body):
            if inside.kind == "XMP_":
                return bytes(inside.body[:MAX_READ])
    return b""
