"""The boxes of a picture, and its items: what there is.

ISO/IEC 14496-12, 4.2 and 8.11.6 (iinf).
Raises ValueError for what is of a version that is not known, or does not fit.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from worker.formats.images.byte_ranges import bounded

HEAD, FULL = 8, 12  # bytes of a box's size and type, and with version and flags
_MAX_TABLE = 1 << 20  # bytes of one of the boxes that tell of items
NARROW = 1 << 16  # numbers of items that take two bytes


@dataclass(frozen=True, slots=True)
class Part:
    """A box, from where its head begins to where it ends, and where its content begins."""

    kind: bytes
    start: int
    body: int
    end: int


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
    if len(made) < NARROW:
        return box(b"iinf", bytes(4), len(made).to_bytes(2), *made)
    return box(b"iinf", b"\1", bytes(3), len(made).to_bytes(4), *made)


def _infe(item: Item) -> bytes:
    wide = item.number >= NARROW
    number = item.number.to_bytes(4 if wide else 2) + bytes(2)  # not protected
    content = item.content + b"\0" if item.kind == b"mime" else b""
    version = bytes((3 if wide else 2,)) + item.flags
    return box(b"infe", version, number, item.kind, b"\0", content)
