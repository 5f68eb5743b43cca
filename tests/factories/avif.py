"""AVIFs in the layouts that encoders write: one still image, and the metadata next to it."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from tests.factories.mp4_boxes import box

STILL, ALPHA, EXIF, XMP = 1, 2, 3, 4
_RDF = b"application/rdf+xml\0"
_KINDS = {STILL: b"av01", ALPHA: b"av01", EXIF: b"Exif", XMP: b"mime"}


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How the items are described; `offset` to `index`: bytes of these fields of iloc."""

    iloc: int = 0
    offset: int = 4
    length: int = 4
    base: int = 0
    index: int = 0
    wide: bool = False  # numbers of items take four bytes
    in_meta: bool = False  # metadata is stored in the idat box
    halves: bool = False  # the still image is stored in two parts
    endless: bool = False  # the last box reaches to the end of the file


def _inside(data: bytes, at: int = 0) -> dict[bytes, bytes]:
    boxes = {}
    while at < len(data):
        size = int.from_bytes(data[at : at + 4])
        boxes[data[at + 4 : at + 8]] = data[at + 8 : at + size]
        at += size
    return boxes


def relaid(still: bytes, layout: Layout, *, exif: bytes, xmp: bytes) -> bytes:
    """Return the AVIF `still`, as ffmpeg writes it, with alpha and metadata in this layout."""
    top = _inside(still)
    meta = _inside(top[b"meta"], 4)
    image = top[b"mdat"]
    items = {STILL: image, ALPHA: image, EXIF: bytes(4) + exif, XMP: xmp}
    in_idat = (EXIF, XMP) if layout.in_meta else ()
    idat = b"".join(items[item] for item in in_idat)
    media = b"".join(content for item, content in items.items() if item not in in_idat)
    head = box(b"ftyp", top[b"ftyp"])
    parts = [meta_of(meta, layout, items, 0), box(b"idat", idat)]
    size = 12 + sum(map(len, parts))
    parts[0] = meta_of(meta, layout, items, len(head) + size + 8)
    front = head + box(b"meta", bytes(4), *parts)
    mdat = box(b"mdat", media)
    return front + (bytes(4) + mdat[4:] if layout.endless else mdat)


def meta_of(meta: dict[bytes, bytes], layout: Layout, items: dict[int, bytes], at: int) -> bytes:
    """Return all boxes but the idat; the first item in the file starts at offset `at`."""
    wide = 4 if layout.wide else 2
    ipma = bytes((layout.wide,)) + bytes(3) + (2).to_bytes(4)
    pairs = _inside(meta[b"iprp"])[b"ipma"]
    ipma += b"".join(item.to_bytes(wide) + pairs[10:] for item in (STILL, ALPHA))
    text = box(b"udes", bytes(4), b"SECRET PROMPT\0\0\0\0")
    ipco = box(b"ipco", _inside(meta[b"iprp"])[b"ipco"], text)
    return b"".join(
        (
            box(b"hdlr", meta[b"hdlr"][:24], b"SECRET PROMPT\0"),
            box(b"pitm", bytes((layout.wide,)) + bytes(3), STILL.to_bytes(wide)),
            _iloc(layout, items, at),
            _iinf(layout),
            _iref(layout),
            box(b"iprp", ipco, box(b"ipma", ipma)),
        )
    )


def _iinf(layout: Layout) -> bytes:
    entries = []
    for item, kind in _KINDS.items():
        number = item.to_bytes(4 if layout.wide else 2) + bytes(2)
        named = b"SECRET PROMPT\0" + (_RDF if kind == b"mime" else b"")
        entries.append(box(b"infe", bytes((2 + layout.wide,)) + bytes(3), number, kind, named))
    count = len(entries).to_bytes(4 if layout.wide else 2)
    return box(b"iinf", bytes((layout.wide,)) + bytes(3), count, *entries)


def _iref(layout: Layout) -> bytes:
    wide = 4 if layout.wide else 2
    references = ((b"auxl", ALPHA), (b"cdsc", EXIF), (b"cdsc", XMP))
    boxes = (
        box(kind, item.to_bytes(wide), (1).to_bytes(2), STILL.to_bytes(wide))
        for kind, item in references
    )
    return box(b"iref", bytes((layout.wide,)) + bytes(3), *boxes)


def _iloc(layout: Layout, items: dict[int, bytes], at: int) -> bytes:
    wide = 4 if layout.iloc == 2 else 2
    sizes = struct.pack(">BB", layout.offset << 4 | layout.length, layout.base << 4 | layout.index)
    rows, inside = [sizes, len(items).to_bytes(wide)], 0
    for item, content in items.items():
        in_idat = layout.in_meta and item in {EXIF, XMP}
        begin = inside if in_idat else at
        rows.append(item.to_bytes(wide))
        rows.append(int(in_idat).to_bytes(2) if layout.iloc else b"")
        rows.append(_extents(layout, item, begin, len(content)))
        inside, at = inside + len(content) * in_idat, at + len(content) * (not in_idat)
    return box(b"iloc", bytes((layout.iloc,)) + bytes(3), *rows)


def _extents(layout: Layout, item: int, at: int, size: int) -> bytes:
    cut = size // 2 if layout.halves and item == STILL else size
    base = at if layout.base else 0
    rows = [bytes(2), base.to_bytes(layout.base)]
    pieces: Sequence[tuple[int, int]] = [(at, cut), (at + cut, size - cut)]
    pieces = [piece for piece in pieces if piece[1]]
    rows.append(len(pieces).to_bytes(2))
    for begin, length in pieces:
        rows.append(bytes(layout.index if layout.iloc else 0))
        rows += [(begin - base).to_bytes(layout.offset), length.to_bytes(layout.length)]
    return b"".join(rows)
