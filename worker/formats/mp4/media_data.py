"""Media data that moves within a file: it is copied by the kernel, and offsets are updated."""

import struct
import sys
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from worker.formats.copy_range import copy_range
from worker.formats.mp4.bounded_numbers import numbers
from worker.formats.mp4.boxes import Box, Extent, invalid

_WIDE = 1 << 32


class NotRewritable(Exception):
    """A valid file of a structure that is not rewritten; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relocation:
    """A range of media data, and the distance that it moves."""

    begins: int
    ends: int
    by: int

    @property
    def length(self) -> int:
        """The number of bytes."""
        return self.ends - self.begins

    def copy(self, file: BinaryIO, out: BinaryIO) -> None:
        """Append a box with this range of `file` to `out`."""
        out.write(_header(self.length))
        out.flush()
        copy_range(file, out, self.begins, self.length)


def moves_of(media: Sequence[Extent], *, at: int) -> list[Relocation]:
    """Return how these boxes move if they are written one after another from offset `at`."""
    moves = []
    for extent in media:
        size, begins = extent.size - extent.header, extent.start + extent.header
        header = len(_header(size))
        moves.append(Relocation(begins=begins, ends=begins + size, by=at + header - begins))
        at += header + size
    return moves


def update_offsets(moov: Box, moves: Sequence[Relocation]) -> None:
    """Update chunk offsets in place; the boxes' bodies must be writable views.

    Raises `MediaError` (media_invalid) for an offset outside the media data, `NotRewritable` if a
    new offset does not fit into 32 bits.
    """
    for trak in moov.all("trak"):
        table = trak.need("mdia", "minf", "stbl")
        co64 = table.find("co64")
        box = co64 or table.need("stco")
        kind = "Q" if co64 else "I"
        offsets = numbers(box.body, 8, box.u32(4), kind)
        _move(offsets, moves)
        if sys.byteorder == "little":
            offsets.byteswap()
        box.body[8 : 8 + len(offsets) * offsets.itemsize] = memoryview(offsets).cast("B")


def _move(offsets: "array[int]", moves: Sequence[Relocation]) -> None:
    """Update offsets in place: a list of millions would take ten times their bytes."""
    starts = [move.begins for move in moves]
    for at, offset in enumerate(offsets):
        number = bisect_right(starts, offset) - 1
        if number < 0 or offset >= moves[number].ends:
            raise invalid("its samples are outside its media data")
        try:
            offsets[at] = offset + moves[number].by
        except OverflowError:
            raise NotRewritable("its chunk offsets do not fit into 32 bits") from None


def _header(size: int) -> bytes:
    if size + 8 < _WIDE:
        return struct.pack(">I4s", size + 8, b"mdat")
    return struct.pack(">I4sQ", 1, b"mdat", size + 16)
