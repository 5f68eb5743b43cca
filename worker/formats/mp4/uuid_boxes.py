"""What an MP4 holds in `uuid` boxes: XMP (Specification Part 3, 1.1.5), content credentials."""

import os
import struct
from pathlib import Path
from typing import BinaryIO

from worker.formats.mp4.boxes import Box, Extent, Walk, invalid
from worker.formats.mp4.probe import C2PA
from worker.formats.mp4.rewrite import XMP

MAX_READ = 2 << 20  # bytes of a packet that are read: more than is taken apart


def xmp_of(path: Path) -> bytes:
    """The packet of the file, b"" for none; `MediaError` where its boxes do not fit."""
    walk = Walk()
    with path.open("rb") as file:
        for extent in _extents(file, walk):
            file.seek(extent.start + extent.header)
            held = extent.size - extent.header - len(XMP)
            if extent.kind == "uuid" and held >= 0 and file.read(len(XMP)) == XMP:
                return file.read(min(held, MAX_READ))
            if extent.kind == "moov" and (packet := _inside(walk.load(file, extent), walk)):
                return packet
    return b""


def credentials_of(path: Path) -> tuple[range, ...]:
    """Where content credentials lie, in bytes; `MediaError` where the boxes do not fit."""
    found = []
    with path.open("rb") as file:
        for extent in _extents(file, Walk()):
            file.seek(extent.start + extent.header)
            if extent.kind == "uuid" and file.read(len(C2PA)) == C2PA:
                found.append(range(extent.start, extent.start + extent.size))
    return tuple(found)


def _extents(file: BinaryIO, walk: Walk) -> tuple[Extent, ...]:
    try:
        return tuple(walk.extents(file, file.seek(0, os.SEEK_END)))
    except struct.error as error:
        raise invalid("the file ends inside the header of a box") from error


def _inside(moov: Box, walk: Walk) -> bytes:
    """Where QuickTime has it."""
    for held in moov.all("udta"):
        for inside in walk.boxes(held.body):
            if inside.kind == "XMP_":
                return bytes(inside.body[:MAX_READ])
    return b""
