"""The boxes of an image file, and the items that its iinf box lists (ISO/IEC 14496-12, 8.11.6).

Raises ValueError for boxes that do not fit, or have an unknown version.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from worker.formats.images.byte_ranges import bounded
from worker.formats.mp4.boxes import HEADER_BYTES, box

FULL_HEADER = HEADER_BYTES + 4  # bytes of a box header with version and flags
_MAX_TABLE = 1 << 20  # bytes of the largest box of an item table
NARROW = 1 << 16  # item numbers below this take two bytes


@dataclass(frozen=True, slots=True)
class Part:
    """The extent of a box: the offsets of its header and its content, and its end."""

    kind: bytes
    start: int
    body: int
    end: int


@dataclass(frozen=True, slots=True)
class Item:
    """An item: its type in four letters, and the MIME type of its content if that is `mime`."""

    number: int
    kind: bytes
    content: bytes
    flags: bytes


def require_small(table: bytes) -> None:
    """Raise ValueError if an item table is larger than is read."""
    if len(table) > _MAX_TABLE:
        raise ValueError(f"one of its item tables takes more than {_MAX_TABLE} bytes")


def parts(data: bytes, at: int = 0, end: int | None = None) -> Iterator[Part]:
    """Yield the boxes that fill these bytes. Raises ValueError if they do not, or are too many."""
    return bounded(_all_parts(data, at, len(data) if end is None else end))


def _all_parts(data: bytes, at: int, end: int) -> Iterator[Part]:
    while at < end:
        size, body = int.from_bytes(data[at : at + 4]), at + HEADER_BYTES
        if size == 1:  # 64 bits follow
            size, body = int.from_bytes(data[body : body + 8]), body + 8
        stop = at + size if size else end  # 0: to the end of the file
        if not body <= stop <= end:
            raise ValueError("it is cut short, or one of its boxes does not fit into its parent")
        yield Part(data[at + 4 : at + 8], at, body, stop)
        at = stop


def read_items(iinf: bytes) -> list[Item]:
    """Return the entries of an iinf box."""
    at = FULL_HEADER + (4 if iinf[HEADER_BYTES] else 2)
    return [_read_item(iinf[part.start : part.end]) for part in parts(iinf, at)]


def _read_item(infe: bytes) -> Item:
    if infe[4:HEADER_BYTES] != b"infe" or infe[HEADER_BYTES] not in {2, 3}:
        raise ValueError("one of its infe boxes has an unknown version")
    at = FULL_HEADER + 2 * (infe[HEADER_BYTES] - 1)  # the number takes two bytes, or four
    if any(infe[at : at + 2]):
        raise ValueError("its items are protected")
    kind, rest = infe[at + 2 : at + 6], infe[at + 6 :]
    content = rest.split(b"\0")[1] if kind == b"mime" and b"\0" in rest else b""
    flags = infe[HEADER_BYTES + 1 : FULL_HEADER]
    return Item(int.from_bytes(infe[FULL_HEADER:at]), kind, content, flags)


def iinf_box(items: Iterable[Item]) -> bytes:
    """Return an iinf box of these items without their names, which may be any text."""
    entries = [_infe_box(item) for item in items]
    if len(entries) < NARROW:
        return box(b"iinf", bytes(4), len(entries).to_bytes(2), *entries)
    return box(b"iinf", b"\1", bytes(3), len(entries).to_bytes(4), *entries)


def _infe_box(item: Item) -> bytes:
    is_wide = item.number >= NARROW
    number = item.number.to_bytes(4 if is_wide else 2) + bytes(2)  # not protected
    content = item.content + b"\0" if item.kind == b"mime" else b""
    version = bytes((3 if is_wide else 2,)) + item.flags
    return box(b"infe", version, number, item.kind, b"\0", content)
