"""The byte ranges of items: the iloc box (ISO/IEC 14496-12, 8.11.3)."""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from worker.formats.images.byte_ranges import bounded
from worker.formats.images.heif.items import FULL_HEADER, NARROW
from worker.formats.mp4.boxes import HEADER_BYTES, box

IN_FILE, IN_META = 0, 1  # construction methods: offsets into the file, or into the idat box
_MAX_RANGES = 10_000  # of all items together: the tiles of a large image are hundreds


@dataclass(frozen=True, slots=True)
class ItemLocation:
    """The byte ranges of an item; `method` says what they are relative to."""

    method: int
    ranges: tuple[range, ...]

    def moved(self, moves: Iterable[tuple[range, int]]) -> "ItemLocation":
        """Return the location after its media data has moved; `moves`: old range and distance."""
        if self.method != IN_FILE:
            return self
        steps = list(moves)
        return ItemLocation(self.method, tuple(_moved(span, steps) for span in self.ranges))


def _moved(span: range, moves: Iterable[tuple[range, int]]) -> range:
    by = next(by for body, by in moves if span.start in body)
    return range(span.start + by, span.stop + by)


def read_locations(iloc: bytes) -> dict[int, ItemLocation]:
    """Return the location of each item, by number. Raises ValueError if the box is broken."""
    version, sizes = iloc[HEADER_BYTES], int.from_bytes(iloc[FULL_HEADER : FULL_HEADER + 2])
    offset, length, base, index = (sizes >> shift & 0xF for shift in (12, 8, 4, 0))
    if version > 2:  # noqa: PLR2004
        raise ValueError("its iloc box has an unknown version")
    reader = _Reader(iloc, FULL_HEADER + 2)
    width = 4 if version == 2 else 2  # noqa: PLR2004
    locations: dict[int, ItemLocation] = {}
    left = _MAX_RANGES
    for _ in bounded(range(reader.number(width))):
        number, method = reader.number(width), reader.number(2) & 0xF if version else IN_FILE
        if reader.number(2) or method not in {IN_FILE, IN_META}:
            raise ValueError("its items are stored in other files, or in other items")
        begin, count, ranges = reader.number(base), reader.number(2), list[range]()
        if (left := left - count) < 0:
            raise ValueError(f"its items are stored in more than {_MAX_RANGES} parts")
        for _ in range(count):
            reader.number(index if version else 0)
            at = begin + reader.number(offset)
            ranges.append(range(at, at + reader.number(length)))
        if not all(ranges) or number in locations:
            raise ValueError("one of its items has no length, or two locations")
        locations[number] = ItemLocation(method, tuple(ranges))
    return locations


class _Reader:
    """A reader of consecutive big-endian numbers."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at

    def number(self, size: int) -> int:
        """Return the next number, of `size` bytes. Raises ValueError at the end of the data."""
        self._at += size
        if self._at > len(self._data):
            raise ValueError("its iloc box has fewer entries than it claims")
        return int.from_bytes(self._data[self._at - size : self._at])


def iloc_box(locations: Mapping[int, ItemLocation]) -> bytes:
    """Return an iloc box of these locations, of the lowest version that can hold them."""
    is_wide = any(number >= NARROW for number in locations)
    version = 2 if is_wide else 1 if any(place.method for place in locations.values()) else 0
    rows = bytearray()
    for number, place in locations.items():
        rows += number.to_bytes(4 if is_wide else 2)
        rows += place.method.to_bytes(2) if version else b""
        rows += bytes(2) + len(place.ranges).to_bytes(2)
        for span in place.ranges:
            rows += struct.pack(">II", span.start, len(span))
    count = len(locations).to_bytes(4 if is_wide else 2)
    return box(b"iloc", bytes((version,)) + bytes(3) + b"\x44\0" + count, bytes(rows))
