"""The `meta` box of a picture in boxes, read and written again (ISO/IEC 14496-12, 8.11)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from worker.formats.images.heif.item_locations import IN_FILE, ItemLocation, located, places
from worker.formats.images.heif.item_properties import Properties
from worker.formats.images.heif.item_references import Reference, references, referred
from worker.formats.images.heif.items import (
    FULL,
    HEAD,
    Item,
    Part,
    box,
    described,
    items,
    parts,
    require_small,
)

_NEEDED = frozenset({b"hdlr", b"iloc", b"iinf", b"iprp", b"pitm"})
_MAX_MEDIA = 100  # boxes of media data
_STAYS = (b"hdlr", b"pitm", b"dinf", b"iloc", b"iinf", b"iref", b"iprp", b"idat", b"grpl")
_HANDLER = HEAD + 24  # bytes of an hdlr box before its name, which may be any text


@dataclass(frozen=True, slots=True, kw_only=True)
class Heif:
    """The boxes of a file, and what its `meta` says of its items. `idat`: where that begins."""

    boxes: tuple[Part, ...]
    parts: Mapping[bytes, bytes]
    items: tuple[Item, ...]
    places: Mapping[int, ItemLocation]
    references: tuple[Reference, ...]
    properties: Properties
    primary: int
    idat: int

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Raises ValueError where it is cut short, or of a layout that is not known."""
        boxes = tuple(parts(data))
        metas = [part for part in boxes if part.kind == b"meta"]
        if len(metas) != 1:
            raise ValueError("it is no whole AVIF: its items are not described once")
        found = {part.kind: part for part in parts(data, metas[0].body + 4, metas[0].end)}
        if not set(found) >= _NEEDED:
            raise ValueError("it is no whole AVIF: its items are not described")
        held = {kind: _whole(data, found[kind]) for kind in _STAYS if kind in found}
        for kind in (b"iinf", b"iloc", b"iref"):
            require_small(held.get(kind, b""))
        pitm = held[b"pitm"]
        made = cls(
            boxes=boxes,
            parts=held,
            items=tuple(items(held[b"iinf"])),
            places=places(held[b"iloc"]),
            references=tuple(references(held.get(b"iref", b""))),
            properties=Properties.read(held[b"iprp"]),
            primary=int.from_bytes(pitm[FULL : FULL + (4 if pitm[HEAD] else 2)]),
            idat=found[b"idat"].body if b"idat" in found else 0,
        )
        made._require_places()
        return made

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the primary item in pixels. Raises ValueError where not told."""
        return self.properties.size(self.primary)

    @property
    def numbers(self) -> frozenset[int]:
        """Of all that is spoken of."""
        return frozenset((self.primary, *self.places, *(item.number for item in self.items)))

    def require_apart(self, gone: Iterable[Item]) -> None:
        """Return if the bytes of these items belong to no other: they are overwritten."""
        lost = {item.number for item in gone}
        lie = sorted(
            (place.method, lies.start, lies.stop, number in lost)
            for number, place in self.places.items()
            for lies in place.ranges
        )
        reach = dict.fromkeys((True, False), (0, 0))
        for method, start, stop, is_lost in lie:
            if reach[not is_lost] > (method, start):
                raise ValueError("what it says of itself lies in the picture")
            reach[is_lost] = max(reach[is_lost], (method, stop))

    def without(self, gone: Sequence[Item]) -> "Heif":
        """The same without these items and what speaks of them, their bytes in it overwritten."""
        lost = {item.number for item in gone}
        held = bytearray(self.parts.get(b"idat", b""))
        for number in lost & set(self.places):
            if (place := self.places[number]).method != IN_FILE:
                for lies in place.ranges:
                    held[HEAD + lies.start : HEAD + lies.stop] = bytes(len(lies))
        return replace(
            self,
            parts={**self.parts, b"idat": bytes(held)} if held else self.parts,
            items=tuple(item for item in self.items if item.number not in lost),
            places={number: at for number, at in self.places.items() if number not in lost},
            references=tuple(one for old in self.references if (one := old.without(lost))),
            properties=self.properties.without(lost),
        )

    def with_item(self, item: Item) -> "Heif":
        """The same with an item that describes the primary one."""
        describes = Reference(b"cdsc", item.number, (self.primary,))
        return replace(self, items=(*self.items, item), references=(*self.references, describes))

    def meta(self, lie: Mapping[int, ItemLocation]) -> bytes:
        """A `meta` box that says so, its items there."""
        made = {
            **self.parts,
            b"hdlr": box(b"hdlr", self.parts.get(b"hdlr", b"")[HEAD:_HANDLER], b"\0"),
            b"iloc": located(lie),
            b"iinf": described(self.items),
            b"iref": referred(self.references),
            b"iprp": self.properties.written(),
        }
        return box(b"meta", bytes(4), *(made[kind] for kind in _STAYS if kind in made))

    def _require_places(self) -> None:
        idat = len(self.parts.get(b"idat", b"")) - HEAD
        media = [(part.body, part.end) for part in self.boxes if part.kind == b"mdat"]
        if len(media) > _MAX_MEDIA:
            raise ValueError(f"it has more than {_MAX_MEDIA} boxes of media data")
        for place in self.places.values():
            bounds = [(0, idat)] if place.method != IN_FILE else media
            for lies in place.ranges:
                if not any(begin <= lies.start < lies.stop <= end for begin, end in bounds):
                    raise ValueError("one of its items lies outside its media data")


def _whole(data: bytes, part: Part) -> bytes:
    return box(part.kind, data[part.body : part.end])
