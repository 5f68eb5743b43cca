"""Where the bytes of items lie (ISO/IEC 14496-12, 8.11.3)."""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from worker.formats.images.byte_ranges import bounded
from worker.formats.images.heif.items import FULL, HEAD, NARROW, box

IN_FILE, IN_META = 0, 1  # construction methods: offsets into the file, or into the idat box
_MAX_RANGES = 10_000  # in which all items together lie: tiles of a large picture are hundreds


@dataclass(frozen=True, slots=True)
class ItemLocation:
    """Where an item's bytes lie: `method` says what the ranges are counted from."""

    method: int
    ranges: tuple[range, ...]

    def moved(self, moves: Iterable[tuple[range, int]]) -> "ItemLocation":
        """The same where media data, which these bytes are of, has moved by so much."""
        if self.method != IN_FILE:
            return self
        steps = list(moves)
        return ItemLocation(self.method, tuple(_moved(lies, steps) for lies in self.ranges))


def _moved(lies: range, moves: Iterable[tuple[range, int]]) -> range:
    by = next(by for body, by in moves if lies.start in body)
    return range(lies.start + by, lies.stop + by)


def places(iloc: bytes) -> dict[int, ItemLocation]:
    """Where each item lies, as an iloc box says. Raises ValueError where it is broken."""
    version, sizes = iloc[HEAD], int.from_bytes(iloc[FULL : FULL + 2])
    offset, length, base, index = (sizes >> shift & 0xF for shift in (12, 8, 4, 0))
    if version > 2:  # noqa: PLR2004
        raise ValueError("where its items lie is told in a version that is not known")
    reader = _Reader(iloc, FULL + 2)
    wide = 4 if version == 2 else 2  # noqa: PLR2004
    found: dict[int, ItemLocation] = {}
    left = _MAX_RANGES
    for _ in bounded(range(reader.number(wide))):
        number, method = reader.number(wide), reader.number(2) & 0xF if version else IN_FILE
        if reader.number(2) or method not in {IN_FILE, IN_META}:
            raise ValueError("its items lie in other files, or in one another")
        begin, count, ranges = reader.number(base), reader.number(2), list[range]()
        if (left := left - count) < 0:
            raise ValueError(f"its items lie in more than {_MAX_RANGES} parts")
        for _ in range(count):
            reader.number(index if version else 0)
            at = begin + reader.number(offset)
            ranges.append(range(at, at + reader.number(length)))
        if not all(ranges) or number in found:
            raise ValueError("one of its items has no length, or lies in two places")
        found[number] = ItemLocation(method, tuple(ranges))
    return found


class _Reader:
    """Numbers one after the other."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at

    def number(self, size: int) -> int:
        """The next, of so many bytes."""
        self._at += size
        if self._at > len(self._data):
            raise ValueError("where its items lie is told of fewer than there are")
        return int.from_bytes(self._data[self._at - size : self._at])


def located(held: Mapping[int, ItemLocation]) -> bytes:
    """An iloc box that says so, of the lowest version that can."""
    wide = any(number >= NARROW for number in held)
    version = 2 if wide else 1 if any(place.method for place in held.values()) else 0
    rows = bytearray()
    for number, place in held.items():
        rows += number.to_bytes(4 if wide else 2)
        rows += place.method.to_bytes(2) if version else b""
        rows += bytes(2) + len(place.ranges).to_bytes(2)
        for lies in place.ranges:
            rows += struct.pack(">II", lies.start, len(lies))
    head = bytes((version,)) + bytes(3) + b"\x44\0" + len(held).to_bytes(4 if wide else 2)
    return box(b"iloc", head, bytes(rows))
