"""AVIF files, stills and sequences, by their boxes (AV1 Image File Format; ISO/IEC 23008-12).

What a picture says of itself lies in items beside it. They are taken out of the list of items and
overwritten where they lie: so nothing else moves within the media data, whatever else is there.
"""

from collections.abc import Iterator

from worker.formats.images.byte_ranges import MAX_SAID, Piece, joined
from worker.formats.images.heif import sequences
from worker.formats.images.heif.item_locations import IN_FILE, ItemLocation
from worker.formats.images.heif.items import HEAD, Item, Part, box, parts
from worker.formats.images.heif.meta_box import Heif
from worker.formats.mp4.probe import C2PA

_BRANDS = frozenset({b"avif", b"avis"})
_XMP = b"application/rdf+xml"
_SAYING = frozenset({b"Exif", b"mime", b"uri "})  # kinds of items that are no pictures
_EXIF = b"Exif\0\0"


def begins(data: bytes) -> bool:
    """Whether a file that begins so is an AVIF, by one of its brands."""
    size = min(int.from_bytes(data[:4]), 256)
    brands = {data[at : at + 4] for at in range(HEAD, size, 4)}
    return data[4:HEAD] == b"ftyp" and bool(brands & _BRANDS)


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height in pixels. Raises ValueError where it is cut short, or not known how."""
    return Heif.read(data).size


def xmp_of(data: bytes) -> bytes:
    """The XMP packet of the picture, b"" for none."""
    held = Heif.read(data)
    return _first(data, held, [item for item in held.items if item.content == _XMP])


def exif_of(data: bytes) -> bytes:
    """The TIFF block of the picture, b"" for none."""
    held = Heif.read(data)
    said = _first(data, held, [item for item in held.items if item.kind == b"Exif"])
    return said[4 + int.from_bytes(said[:4]) :].removeprefix(_EXIF)  # A.2.1: where it begins


def credentials_of(data: bytes) -> Iterator[range]:
    """Where content credentials lie (C2PA 2.2, appendix A)."""
    return (range(part.start, part.end) for part in parts(data) if _is_c2pa(data, part))


def tagged(data: bytes, xmp: bytes) -> bytes:
    """The same picture with this XMP packet, and no other item that says something of it."""
    held = Heif.read(data)
    gone = [item for item in held.items if item.kind in _SAYING]
    lost = [held.places[item.number] for item in gone if item.number in held.places]
    held.require_apart(gone)
    media = [part for part in held.boxes if part.kind == b"mdat" and not _is_lost(part, lost)]
    kept = held.without(gone)
    number = 1 + max(kept.numbers)
    kept = kept.with_item(Item(number, b"mime", _XMP, bytes(3)))
    # As long as it will be, whatever it says is where.
    made = kept.meta({**kept.places, number: ItemLocation(IN_FILE, (range(len(xmp)),))})
    movie = sequences.plain(data, held.boxes)
    head = [data[held.boxes[0].start : held.boxes[0].end]]
    head += [data[part.start : part.end] for part in held.boxes if _is_c2pa(data, part)]
    at = sum(map(len, head)) + len(made) + len(movie)
    moves = sequences.moves(media, at)
    last = at + sum(HEAD + len(move) for move, _ in moves)
    moved = {item: place.moved(moves) for item, place in kept.places.items()}
    moved[number] = ItemLocation(IN_FILE, (range(last + HEAD, last + HEAD + len(xmp)),))
    blank = bytearray(data)
    for place in lost:
        for lies in place.ranges if place.method == IN_FILE else ():
            blank[lies.start : lies.stop] = bytes(len(lies))
    pieces: list[Piece] = [*head, kept.meta(moved), sequences.followed(movie, moves)]
    for body, _ in moves:
        pieces += [(HEAD + len(body)).to_bytes(4) + b"mdat", body]
    return joined(blank, (*pieces, box(b"mdat", xmp)))


def _first(data: bytes, held: Heif, found: list[Item]) -> bytes:
    places = [held.places[item.number] for item in found if item.number in held.places]
    if not places:
        return b""
    origin = held.idat if places[0].method else 0
    said = (data[origin + lies.start : origin + lies.stop] for lies in places[0].ranges)
    return b"".join(said)[:MAX_SAID]


def _is_lost(media: Part, lost: list[ItemLocation]) -> bool:
    """Whether a box holds nothing but one thing that goes: we put our packets into such."""
    return any(place.ranges == (range(media.body, media.end),) for place in lost)


def _is_c2pa(data: bytes, part: Part) -> bool:
    return part.kind == b"uuid" and data.startswith(C2PA, part.body)
