"""Media data that moves to another place, copied by the kernel, and the offsets that follow it."""

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
    """The file is good, but of a shape that this does not rewrite; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relocation:
    """A stretch of media data, and how far it moves."""

    begins: int
    ends: int
    by: int

    @property
    def length(self) -> int:
        """Bytes of media data."""
        return self.ends - self.begins

    def copy(self, file: BinaryIO, out: BinaryIO) -> None:
        """A box with this stretch of `file` is at the end of `out`."""
        out.write(_head(self.length))
        out.flush()
        copy_range(file, out, self.begins, self.length)


def moves_of(media: Sequence[Extent], *, at: int) -> list[Relocation]:
    """How these boxes move when they stand one after the other from the byte `at` on."""
    moves = []
    for extent in media:
        held, begins = extent.size - extent.header, extent.start + extent.header
        head = len(_head(held))
        moves.append(Relocation(begins=begins, ends=begins + held, by=at + head - begins))
        at += head + held
    return moves


def update_offsets(moov: Box, moves: Sequence[Relocation]) -> None:
    """Set chunk offsets in place (the boxes' bodies are writable views), to where data moved.

    Raises `MediaError` (media_invalid) for one that points nowhere, `NotRewritable` where the
    table has not room for it.
    """
    for trak in moov.all("trak"):
        table = trak.need("mdia", "minf", "stbl")
        wide = table.find("co64")
        held = wide or table.need("stco")
        kind = "Q" if wide else "I"
        offsets = numbers(held.body, 8, held.u32(4), kind)
        _move(offsets, moves)
        if sys.byteorder == "little":
            offsets.byteswap()
        held.body[8 : 8 + len(offsets) * offsets.itemsize] = memoryview(offsets).cast("B")


def _move(offsets: "array[int]", moves: Sequence[Relocation]) -> None:
    """In place: a list of millions would take ten times their bytes."""
    starts = [move.begins for move in moves]
    for at, offset in enumerate(offsets):
        number = bisect_right(starts, offset) - 1
        if number < 0 or offset >= moves[number].ends:
            raise invalid("its samples lie outside its media data")
        try:
            offsets[at] = offset + moves[number].by
        except OverflowError:
            raise NotRewritable("its chunk offsets have not room for its size") from None


def _head(held: int) -> bytes:
    if held + 8 < _WIDE:
        return struct.pack(">I4s", held + 8, b"mdat")
    return struct.pack(">I4sQ", 1, b"mdat", held + 16)
