"""Properties of items, and their associations (ISO/IEC 23008-12, 9.3; 6.5.3, 6.5.20)."""

from collections.abc import Container
from dataclasses import dataclass, replace
from typing import Self

from worker.formats.images.byte_ranges import bounded
from worker.formats.images.heif.items import FULL_HEADER, parts, require_small
from worker.formats.mp4.boxes import HEADER_BYTES, box

_TEXT = b"udes"  # a name, a description and tags, written by the image's author


@dataclass(frozen=True, slots=True)
class _Association:
    """The properties of one item: its row in ipma after the item number, and their indices."""

    number: int
    row: bytes
    indices: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Properties:
    """All properties of a file but texts, by index from 1, and the associations of its items."""

    all: tuple[bytes, ...]
    flags: bytes
    associations: tuple[_Association, ...]

    @classmethod
    def read(cls, iprp: bytes) -> Self:
        """Read an iprp box. Raises ValueError if it is broken, or has several parts."""
        boxes = [(part.kind, iprp[part.start : part.end]) for part in parts(iprp, HEADER_BYTES)]
        if [kind for kind, _ in boxes] != [b"ipco", b"ipma"]:
            raise ValueError("its iprp box is not one ipco box followed by one ipma box")
        (_, ipco), (_, ipma) = boxes
        require_small(ipma)
        properties = (ipco[part.start : part.end] for part in parts(ipco, HEADER_BYTES))
        return cls(
            all=tuple(map(_without_text, properties)),
            flags=ipma[HEADER_BYTES:FULL_HEADER],
            associations=_associations(ipma),
        )

    def size(self, number: int) -> tuple[int, int]:
        """Return width and height of this item. Raises ValueError if it has none."""
        for association in self.associations:
            for index in association.indices if association.number == number else ():
                ispe = self.all[index - 1] if 0 < index <= len(self.all) else b""
                if ispe[4:HEADER_BYTES] == b"ispe" and len(ispe) >= FULL_HEADER + 8:
                    return int.from_bytes(ispe[12:16]), int.from_bytes(ispe[16:20])
        raise ValueError("it does not state its width and height")

    def without(self, removed: Container[int]) -> "Properties":
        """Return the same without the associations of these items."""
        kept = tuple(row for row in self.associations if row.number not in removed)
        return replace(self, associations=kept)

    def iprp_box(self) -> bytes:
        """Return the iprp box."""
        width = 4 if self.flags[0] else 2
        rows = (row.number.to_bytes(width) + row.row for row in self.associations)
        count = len(self.associations).to_bytes(4)
        return box(b"iprp", box(b"ipco", *self.all), box(b"ipma", self.flags, count, *rows))


def _without_text(prop: bytes) -> bytes:
    is_text = prop[4:HEADER_BYTES] == _TEXT
    return box(b"free", bytes(len(prop) - HEADER_BYTES)) if is_text else prop


def _associations(ipma: bytes) -> tuple[_Association, ...]:
    width, index_bytes = 4 if ipma[HEADER_BYTES] else 2, 2 if ipma[FULL_HEADER - 1] & 1 else 1
    at, result = FULL_HEADER + 4, []
    for _ in bounded(range(int.from_bytes(ipma[FULL_HEADER:at]))):
        end = at + width + 1 + index_bytes * (ipma[at + width] if at + width < len(ipma) else 0)
        if not at + width < end <= len(ipma):
            raise ValueError("its ipma box has fewer entries than it claims")
        row = ipma[at + width : end]
        mask = 0x7FFF if index_bytes > 1 else 0x7F  # without the first bit: is essential
        indices = (
            int.from_bytes(row[start : start + index_bytes]) & mask
            for start in range(1, len(row), index_bytes)
        )
        number = int.from_bytes(ipma[at : at + width])
        result.append(_Association(number, row, tuple(indices)))
        at = end
    return tuple(result)
