"""Properties of items, and which has which (ISO/IEC 23008-12, 9.3; 6.5.3, 6.5.20)."""

from collections.abc import Container
from dataclasses import dataclass, replace
from typing import Self

from worker.formats.images.byte_ranges import bounded
from worker.formats.images.heif.items import FULL, HEAD, box, parts, require_small

_TEXT = b"udes"  # a name, a description and tags, by whoever made the picture


@dataclass(frozen=True, slots=True)
class _Has:
    """The associations of one item, as they stand after its number, and their indices."""

    number: int
    held: bytes
    indices: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Properties:
    """All properties of a file, texts aside, by index from 1; and which item has which."""

    all: tuple[bytes, ...]
    flags: bytes
    has: tuple[_Has, ...]

    @classmethod
    def read(cls, iprp: bytes) -> Self:
        """Of an iprp box. Raises ValueError where it is broken, or in more than one part."""
        found = [(part.kind, iprp[part.start : part.end]) for part in parts(iprp, HEAD)]
        if [kind for kind, _ in found] != [b"ipco", b"ipma"]:
            raise ValueError("the properties of its items are not told once")
        (_, ipco), (_, ipma) = found
        require_small(ipma)
        held = (ipco[part.start : part.end] for part in parts(ipco, HEAD))
        return cls(all=tuple(map(_textless, held)), flags=ipma[HEAD:FULL], has=_all_has(ipma))

    def size(self, number: int) -> tuple[int, int]:
        """Width and height of this item. Raises ValueError where it has none."""
        for has in self.has:
            for index in has.indices if has.number == number else ():
                held = self.all[index - 1] if 0 < index <= len(self.all) else b""
                if held[4:HEAD] == b"ispe" and len(held) >= FULL + 8:
                    return int.from_bytes(held[12:16]), int.from_bytes(held[16:20])
        raise ValueError("it does not tell how large it is")

    def without(self, gone: Container[int]) -> "Properties":
        """The same, but for what these items have."""
        return replace(self, has=tuple(has for has in self.has if has.number not in gone))

    def written(self) -> bytes:
        """An iprp box."""
        wide = 4 if self.flags[0] else 2
        rows = (has.number.to_bytes(wide) + has.held for has in self.has)
        count = len(self.has).to_bytes(4)
        return box(b"iprp", box(b"ipco", *self.all), box(b"ipma", self.flags, count, *rows))


def _textless(held: bytes) -> bytes:
    return box(b"free", bytes(len(held) - HEAD)) if held[4:HEAD] == _TEXT else held


def _all_has(ipma: bytes) -> tuple[_Has, ...]:
    wide, each = 4 if ipma[HEAD] else 2, 2 if ipma[FULL - 1] & 1 else 1
    at, found = FULL + 4, []
    for _ in bounded(range(int.from_bytes(ipma[FULL:at]))):
        end = at + wide + 1 + each * (ipma[at + wide] if at + wide < len(ipma) else 0)
        if not at + wide < end <= len(ipma):
            raise ValueError("the properties of its items are told of fewer than there are")
        held = ipma[at + wide : end]
        most = 0x7FFF if each > 1 else 0x7F  # but the first bit, which says: is essential
        indices = (int.from_bytes(held[a : a + each]) & most for a in range(1, len(held), each))
        found.append(_Has(int.from_bytes(ipma[at : at + wide]), held, tuple(indices)))
        at = end
    return tuple(found)
