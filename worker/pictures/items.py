"""The items of a picture in boxes: what there is, where its bytes lie, and what speaks of what.

ISO/IEC 14496-12, 8.11 (iinf, iloc, iref, pitm, idat); ISO/IEC 23008-12, 9.3 (ipma) and 6.5 (ispe).
Raises ValueError for what is of a version that is not known, or does not fit.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from worker.pictures.parts import bounded

HEAD, FULL = 8, 12  # bytes of a box's size and type, and with version and flags
IN_FILE, IN_META = 0, 1  # construction methods: offsets into the file, or into the idat box
_MAX_RANGES = 10_000  # in which all items together lie: tiles of a large picture are hundreds
_MAX_TABLE = 1 << 20  # bytes of one of the boxes that tell of items
_NARROW = 1 << 16  # numbers of items that take two bytes


@dataclass(frozen=True, slots=True)
class Part:
    """A box, from where its head begins to where it ends, and where its content begins."""

    kind: bytes
    start: int
    body: int
    end: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where an item's bytes lie: `method` says what the ranges are counted from."""

    method: int
    ranges: tuple[range, ...]

    def moved(self, moves: Iterable[tuple[range, int]]) -> "Place":
        """The same where media data, which these bytes are of, has moved by so much."""
        if self.method != IN_FILE:
            return self
        steps = list(moves)
        return Place(self.method, tuple(_moved(lies, steps) for lies in self.ranges))


def _moved(lies: range, moves: Iterable[tuple[range, int]]) -> range:
    by = next(by for body, by in moves if lies.start in body)
    return range(lies.start + by, lies.stop + by)


@dataclass(frozen=True, slots=True)
class Item:
    """What an item is: its four letters, and the type of its content where it is `mime`."""

    number: int
    kind: bytes
    content: bytes
    flags: bytes


def box(kind: bytes, *content: bytes) -> bytes:
    """A box around this content."""
    body = b"".join(content)
    return (HEAD + len(body)).to_bytes(4) + kind + body


def require_small(held: bytes) -> None:
    """Return if a table of items is no larger than is read. Raises ValueError."""
    if len(held) > _MAX_TABLE:
        raise ValueError(f"what it tells of its items takes more than {_MAX_TABLE} bytes")


def parts(data: bytes, at: int = 0, end: int | None = None) -> Iterator[Part]:
    """The boxes that fill these bytes. Raises ValueError where they do not, or are too many."""
    return bounded(_all_parts(data, at, len(data) if end is None else end))


def _all_parts(data: bytes, at: int, end: int) -> Iterator[Part]:
    while at < end:
        size, body = int.from_bytes(data[at : at + 4]), at + HEAD
        if size == 1:  # it stands in 64 bits
            size, body = int.from_bytes(data[body : body + 8]), body + 8
        last = at + size if size else end  # 0: to the end of the file
        if not body <= last <= end:
            raise ValueError("it is cut short, or one of its boxes does not fit where it stands")
        yield Part(data[at + 4 : at + 8], at, body, last)
        at = last


def items(iinf: bytes) -> list[Item]:
    """The entries of an iinf box."""
    at = FULL + (4 if iinf[HEAD] else 2)
    return [_item(iinf[part.start : part.end]) for part in parts(iinf, at)]


def _item(infe: bytes) -> Item:
    if infe[4:HEAD] != b"infe" or infe[HEAD] not in {2, 3}:
        raise ValueError("its items are described in a version that is not known")
    at = FULL + 2 * (infe[HEAD] - 1)  # the number takes two bytes, or four
    if any(infe[at : at + 2]):
        raise ValueError("its items are protected")
    kind, rest = infe[at + 2 : at + 6], infe[at + 6 :]
    content = rest.split(b"\0")[1] if kind == b"mime" and b"\0" in rest else b""
    return Item(int.from_bytes(infe[FULL:at]), kind, content, infe[HEAD + 1 : FULL])


def described(held: Iterable[Item]) -> bytes:
    """An iinf box of these items, nameless: a name may be any text."""
    made = [_infe(item) for item in held]
    if len(made) < _NARROW:
        return box(b"iinf", bytes(4), len(made).to_bytes(2), *made)
    return box(b"iinf", b"\1", bytes(3), len(made).to_bytes(4), *made)


def _infe(item: Item) -> bytes:
    wide = item.number >= _NARROW
    number = item.number.to_bytes(4 if wide else 2) + bytes(2)  # not protected
    content = item.content + b"\0" if item.kind == b"mime" else b""
    version = bytes((3 if wide else 2,)) + item.flags
    return box(b"infe", version, number, item.kind, b"\0", content)


def places(iloc: bytes) -> dict[int, Place]:
    """Where each item lies."""
    version, sizes = iloc[HEAD], int.from_bytes(iloc[FULL : FULL + 2])
    offset, length, base, index = (sizes >> shift & 0xF for shift in (12, 8, 4, 0))
    if version > 2:  # noqa: PLR2004
        raise ValueError("where its items lie is told in a version that is not known")
    reader = _Reader(iloc, FULL + 2)
    wide = 4 if version == 2 else 2  # noqa: PLR2004
    found: dict[int, Place] = {}
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
        found[number] = Place(method, tuple(ranges))
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


def located(held: Mapping[int, Place]) -> bytes:
    """An iloc box that says so, of the lowest version that can."""
    wide = any(number >= _NARROW for number in held)
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
