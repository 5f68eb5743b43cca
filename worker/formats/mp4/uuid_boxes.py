"""The `uuid` boxes of an MP4: XMP (Specification Part 3, 1.1.5) and content credentials."""

import os
import struct
from pathlib import Path
from typing import BinaryIO

from worker.formats.mp4.boxes import Box, Extent, Walk, invalid
from worker.formats.mp4.probe import C2PA
from worker.formats.mp4.rewrite import XMP

MAX_READ = 2 << 20  # bytes of a packet that are read: more than is parsed


def xmp_of(path: Path) -> bytes:
    """Return the file's XMP packet, or b""; `MediaError` if its boxes do not fit."""
    walk = Walk()
    with path.open("rb") as file:
        for extent in _extents(file, walk):
            file.seek(extent.start + extent.header)
            size = extent.size - extent.header - len(XMP)
            if extent.kind == "uuid" and size >= 0 and file.read(len(XMP)) == XMP:
                return file.read(min(size, MAX_READ))
            if extent.kind == "moov" and (packet := _in_user_data(walk.load(file, extent), walk)):
                return packet
    return b""


def credentials_of(path: Path) -> tuple[range, ...]:
    """Return the byte ranges of content credentials; `MediaError` if the boxes do not fit."""
    ranges = []
    with path.open("rb") as file:
        for extent in _extents(file, Walk()):
            file.seek(extent.start + extent.header)
            if extent.kind == "uuid" and file.read(len(C2PA)) == C2PA:
                ranges.append(range(extent.start, extent.start + extent.size))
    return tuple(ranges)


def _extents(file: BinaryIO, walk: Walk) -> tuple[Extent, ...]:
    try:
        return tuple(walk.extents(file, file.seek(0, os.SEEK_END)))
    except struct.error as error:
        raise invalid("the file ends inside the header of a box") from error


def _in_user_data(moov: Box, walk: Walk) -> bytes:
    """Return the XMP packet where QuickTime stores it, or b""."""
    for user_data in moov.all("udta"):
        for inside in walk.boxes(user_data.body):
            if inside.kind == "XMP_":
                return bytes(inside.body[:MAX_READ])
    return b""
