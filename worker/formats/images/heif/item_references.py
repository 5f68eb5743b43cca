"""Which item speaks of which (ISO/IEC 14496-12, 8.11.12)."""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

from worker.formats.images.heif.items import FULL, HEAD, NARROW, box, parts


@dataclass(frozen=True, slots=True)
class Reference:
    """How one item is bound to others: four letters."""

    kind: bytes
    item: int
    to: tuple[int, ...]

    def without(self, gone: Container[int]) -> "Reference | None":
        """The same without these items; None where nothing is left."""
        to = tuple(number for number in self.to if number not in gone)
        return Reference(self.kind, self.item, to) if to and self.item not in gone else None


def references(iref: bytes) -> Iterator[Reference]:
    """Those of an iref box, none of an empty one. Raises ValueError where it is broken."""
    wide = 4 if iref[HEAD : HEAD + 1] == b"\1" else 2
    for part in parts(iref, FULL) if iref else ():
        # The count of those that follow always takes two bytes.
        item, rest = iref[part.body : part.body + wide], part.body + wide
        count = int.from_bytes(iref[rest : rest + 2])
        held = [iref[at : at + wide] for at in range(rest + 2, part.end, wide)]
        if len(held) != count or (held and len(held[-1]) != wide):
            raise ValueError("one of its references is broken")
        yield Reference(part.kind, int.from_bytes(item), tuple(map(int.from_bytes, held)))


def referred(held: Sequence[Reference]) -> bytes:
    """An iref box of these."""
    wide = 4 if any(number >= NARROW for one in held for number in (one.item, *one.to)) else 2
    made = (
        box(
            one.kind,
            one.item.to_bytes(wide),
            len(one.to).to_bytes(2),
            *(number.to_bytes(wide) for number in one.to),
        )
        for one in held
    )
    return box(b"iref", bytes((wide // 4,)) + bytes(3), *made)
