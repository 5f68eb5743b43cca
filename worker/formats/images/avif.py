"""AVIF files, stills and sequences, by their boxes (AV1 Image File Format; ISO/IEC 23008-12).

The metadata of an image is stored in items next to it. They are removed from the list of items and
overwritten in place, so that nothing else moves within the media data.
"""

from collections.abc import Iterator

from worker.formats.images.byte_ranges import MAX_METADATA, Piece, assembled
from worker.formats.images.heif import sequences
from worker.formats.images.heif.item_locations import IN_FILE, ItemLocation
from worker.formats.images.heif.items import Item, Part, parts
from worker.formats.images.heif.meta_box import Heif
from worker.formats.mp4.boxes import HEADER_BYTES, box
from worker.formats.mp4.probe import C2PA

_BRANDS = frozenset({b"avif", b"avis"})
_XMP = b"application/rdf+xml"
_METADATA = frozenset({b"Exif", b"mime", b"uri "})  # types of items that are not images
_EXIF = b"Exif\0\0"


def begins(data: bytes) -> bool:
    """Return whether a file with these first bytes is an AVIF, by any of its brands."""
    size = min(int.from_bytes(data[:4]), 256)
    brands = {data[at : at + 4] for at in range(HEADER_BYTES, size, 4)}
    return data[4:HEADER_BYTES] == b"ftyp" and bool(brands & _BRANDS)


def size_of(data: bytes) -> tuple[int, int]:
    """Return width and height in pixels. Raises ValueError if the file is incomplete."""
    return Heif.read(data).size


def xmp_of(data: bytes) -> bytes:
    """Return the image's XMP packet, or b""."""
    heif = Heif.read(data)
    return _first(data, heif, [item for item in heif.items if item.content == _XMP])


def exif_of(data: bytes) -> bytes:
    """Return the image's EXIF as a TIFF block, or b""."""
    heif = Heif.read(data)
    exif = _first(data, heif, [item for item in heif.items if item.kind == b"Exif"])
    return exif[4 + int.from_bytes(exif[:4]) :].removeprefix(_EXIF)  # A.2.1: its offset comes first


def credentials_of(data: bytes) -> Iterator[range]:
    """Return the byte ranges of content credentials (C2PA 2.2, appendix A)."""
    return (range(part.start, part.end) for part in parts(data) if _is_c2pa(data, part))


def tagged(data: bytes, xmp: bytes) -> bytes:
    """Return the image with this XMP packet, and without all other metadata items."""
    heif = Heif.read(data)
    removed = [item for item in heif.items if item.kind in _METADATA]
    gone = [heif.locations[item.number] for item in removed if item.number in heif.locations]
    heif.require_separate(removed)
    media = [part for part in heif.boxes if part.kind == b"mdat" and not _is_gone(part, gone)]
    kept = heif.without(removed)
    number = 1 + max(kept.numbers)
    kept = kept.with_item(Item(number, b"mime", _XMP, bytes(3)))
    # Has its final size already: that does not depend on the offsets in it.
    draft = kept.meta({**kept.locations, number: ItemLocation(IN_FILE, (range(len(xmp)),))})
    movie = sequences.without_metadata(data, heif.boxes)
    head = [data[heif.boxes[0].start : heif.boxes[0].end]]
    head += [data[part.start : part.end] for part in heif.boxes if _is_c2pa(data, part)]
    at = sum(map(len, head)) + len(draft) + len(movie)
    moves = sequences.moves(media, at)
    xmp_at = at + sum(HEADER_BYTES + len(body) for body, _ in moves) + HEADER_BYTES
    locations = {item: place.moved(moves) for item, place in kept.locations.items()}
    locations[number] = ItemLocation(IN_FILE, (range(xmp_at, xmp_at + len(xmp)),))
    blanked = bytearray(data)
    for place in gone:
        for span in place.ranges if place.method == IN_FILE else ():
            blanked[span.start : span.stop] = bytes(len(span))
    pieces: list[Piece] = [*head, kept.meta(locations), sequences.with_offsets(movie, moves)]
    for body, _ in moves:
        pieces += [(HEADER_BYTES + len(body)).to_bytes(4) + b"mdat", body]
    return assembled(blanked, (*pieces, box(b"mdat", xmp)))


def _first(data: bytes, heif: Heif, items: list[Item]) -> bytes:
    places = [heif.locations[item.number] for item in items if item.number in heif.locations]
    if not places:
        return b""
    origin = heif.idat if places[0].method else 0
    content = (data[origin + span.start : origin + span.stop] for span in places[0].ranges)
    return b"".join(content)[:MAX_METADATA]


def _is_gone(media: Part, gone: list[ItemLocation]) -> bool:
    """Return whether the box holds nothing but one removed item, as our XMP packets do."""
    return any(place.ranges == (range(media.body, media.end),) for place in gone)


def _is_c2pa(data: bytes, part: Part) -> bool:
    return part.kind == b"uuid" and data.startswith(C2PA, part.body)
