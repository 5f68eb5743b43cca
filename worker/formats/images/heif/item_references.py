"""References between items: the iref box (ISO/IEC 14496-12, 8.11.12)."""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

from worker.formats.images.heif.items import FULL_HEADER, NARROW, parts
from worker.formats.mp4.boxes import HEADER_BYTES, box


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference from one item to others; its type is four letters."""

    kind: bytes
    item: int
    to: tuple[int, ...]

    def without(self, removed: Container[int]) -> "Reference | None":
        """Return the same without these items; None if nothing is left."""
        to = tuple(number for number in self.to if number not in removed)
        return Reference(self.kind, self.item, to) if to and self.item not in removed else None


def read_references(iref: bytes) -> Iterator[Reference]:
    """Yield the references of an iref box, none if it is empty. Raises ValueError if broken."""
    width = 4 if iref[HEADER_BYTES : HEADER_BYTES + 1] == b"\1" else 2
    for part in parts(iref, FULL_HEADER) if iref else ():
        # The count of the numbers that follow always takes two bytes.
        item, rest = iref[part.body : part.body + width], part.body + width
        count = int.from_bytes(iref[rest : rest + 2])
        numbers = [iref[at : at + width] for at in range(rest + 2, part.end, width)]
        if len(numbers) != count or (numbers and len(numbers[-1]) != width):
            raise ValueError("one of its references is broken")
        yield Reference(part.kind, int.from_bytes(item), tuple(map(int.from_bytes, numbers)))


def iref_box(references: Sequence[Reference]) -> bytes:
    """Return an iref box of these references."""
    numbers = (number for ref in references for number in (ref.item, *ref.to))
    width = 4 if any(number >= NARROW for number in numbers) else 2
    boxes = (
        box(
            ref.kind,
            ref.item.to_bytes(width),
            len(ref.to).to_bytes(2),
            *(number.to_bytes(width) for number in ref.to),
        )
        for ref in references
    )
    return box(b"iref", bytes((width // 4,)) + bytes(3), *boxes)
