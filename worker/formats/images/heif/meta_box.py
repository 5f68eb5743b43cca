"""The `meta` box of an image file, read and written again (ISO/IEC 14496-12, 8.11)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from worker.formats.images.heif.item_locations import (
    IN_FILE,
    ItemLocation,
    iloc_box,
    read_locations,
)
from worker.formats.images.heif.item_properties import Properties
from worker.formats.images.heif.item_references import Reference, iref_box, read_references
from worker.formats.images.heif.items import (
    FULL_HEADER,
    Item,
    Part,
    iinf_box,
    parts,
    read_items,
    require_small,
)
from worker.formats.mp4.boxes import HEADER_BYTES, box

_REQUIRED = frozenset({b"hdlr", b"iloc", b"iinf", b"iprp", b"pitm"})
_MAX_MEDIA = 100  # boxes of media data
_KEPT = (b"hdlr", b"pitm", b"dinf", b"iloc", b"iinf", b"iref", b"iprp", b"idat", b"grpl")
_HANDLER = HEADER_BYTES + 24  # bytes of an hdlr box before its name, which may be any text


@dataclass(frozen=True, slots=True, kw_only=True)
class Heif:
    """The boxes of a file, and the items that its `meta` box describes.

    `parts` are the boxes in `meta`; `idat` is the offset of the idat box's content.
    """

    boxes: tuple[Part, ...]
    parts: Mapping[bytes, bytes]
    items: tuple[Item, ...]
    locations: Mapping[int, ItemLocation]
    references: tuple[Reference, ...]
    properties: Properties
    primary: int
    idat: int

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Read a file. Raises ValueError if it is cut short, or of an unknown layout."""
        try:
            return cls._read(data)
        except IndexError as error:
            raise ValueError("it is cut short: one of its boxes lacks a field") from error

    @classmethod
    def _read(cls, data: bytes) -> Self:
        boxes = tuple(parts(data))
        metas = [part for part in boxes if part.kind == b"meta"]
        if len(metas) != 1:
            raise ValueError("it is not a complete AVIF: it needs exactly one meta box")
        extents = {part.kind: part for part in parts(data, metas[0].body + 4, metas[0].end)}
        if not set(extents) >= _REQUIRED:
            raise ValueError("it is not a complete AVIF: its meta box lacks a required box")
        inside = {kind: _complete(data, extents[kind]) for kind in _KEPT if kind in extents}
        for kind in (b"iinf", b"iloc", b"iref"):
            require_small(inside.get(kind, b""))
        pitm = inside[b"pitm"]
        heif = cls(
            boxes=boxes,
            parts=inside,
            items=tuple(read_items(inside[b"iinf"])),
            locations=read_locations(inside[b"iloc"]),
            references=tuple(read_references(inside.get(b"iref", b""))),
            properties=Properties.read(inside[b"iprp"]),
            primary=int.from_bytes(
                pitm[FULL_HEADER : FULL_HEADER + (4 if pitm[HEADER_BYTES] else 2)]
            ),
            idat=extents[b"idat"].body if b"idat" in extents else 0,
        )
        heif._require_locations()
        return heif

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the primary item in pixels. Raises ValueError if it has none."""
        return self.properties.size(self.primary)

    @property
    def numbers(self) -> frozenset[int]:
        """All item numbers in use."""
        return frozenset((self.primary, *self.locations, *(item.number for item in self.items)))

    def require_separate(self, removed: Iterable[Item]) -> None:
        """Raise ValueError if these items, to be overwritten, share bytes with others."""
        numbers = {item.number for item in removed}
        spans = sorted(
            (place.method, span.start, span.stop, number in numbers)
            for number, place in self.locations.items()
            for span in place.ranges
        )
        reach = dict.fromkeys((True, False), (0, 0))
        for method, start, stop, is_removed in spans:
            if reach[not is_removed] > (method, start):
                raise ValueError("its metadata overlaps the image data")
            reach[is_removed] = max(reach[is_removed], (method, stop))

    def without(self, removed: Sequence[Item]) -> "Heif":
        """Return the same without these items and references to them; idat is overwritten."""
        numbers = {item.number for item in removed}
        idat = bytearray(self.parts.get(b"idat", b""))
        for number in numbers & set(self.locations):
            if (place := self.locations[number]).method != IN_FILE:
                for span in place.ranges:
                    idat[HEADER_BYTES + span.start : HEADER_BYTES + span.stop] = bytes(len(span))
        references = (reference.without(numbers) for reference in self.references)
        return replace(
            self,
            parts={**self.parts, b"idat": bytes(idat)} if idat else self.parts,
            items=tuple(item for item in self.items if item.number not in numbers),
            locations={key: at for key, at in self.locations.items() if key not in numbers},
            references=tuple(reference for reference in references if reference),
            properties=self.properties.without(numbers),
        )

    def with_item(self, item: Item) -> "Heif":
        """Return the same with an item that describes the primary one."""
        describes = Reference(b"cdsc", item.number, (self.primary,))
        return replace(self, items=(*self.items, item), references=(*self.references, describes))

    def meta(self, locations: Mapping[int, ItemLocation]) -> bytes:
        """Return the `meta` box, its items at these locations."""
        inside = {
            **self.parts,
            b"hdlr": box(b"hdlr", self.parts.get(b"hdlr", b"")[HEADER_BYTES:_HANDLER], b"\0"),
            b"iloc": iloc_box(locations),
            b"iinf": iinf_box(self.items),
            b"iref": iref_box(self.references),
            b"iprp": self.properties.iprp_box(),
        }
        return box(b"meta", bytes(4), *(inside[kind] for kind in _KEPT if kind in inside))

    def _require_locations(self) -> None:
        idat = len(self.parts.get(b"idat", b"")) - HEADER_BYTES
        media = [(part.body, part.end) for part in self.boxes if part.kind == b"mdat"]
        if len(media) > _MAX_MEDIA:
            raise ValueError(f"it has more than {_MAX_MEDIA} boxes of media data")
        for place in self.locations.values():
            bounds = [(0, idat)] if place.method != IN_FILE else media
            for span in place.ranges:
                if not any(begin <= span.start < span.stop <= end for begin, end in bounds):
                    raise ValueError("one of its items is outside its media data")


def _complete(data: bytes, part: Part) -> bytes:
    return box(part.kind, data[part.body : part.end])
