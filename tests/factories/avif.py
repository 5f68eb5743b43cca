"""AVIFs in the layouts that encoders write: one still, and what they put beside it."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from tests.factories.clips import box

STILL, ALPHA, EXIF, XMP = 1, 2, 3, 4
_RDF = b"application/rdf+xml\0"
_KINDS = {STILL: b"av01", ALPHA: b"av01", EXIF: b"Exif", XMP: b"mime"}


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How the items are told of. `based`: offsets count from a base, and take no bytes if 0."""

    iloc: int = 0
    offset: int = 4
    length: int = 4
    base: int = 0
    index: int = 0
    wide: bool = False  # numbers of items take four bytes
    in_meta: bool = False  # what is said lies in the idat box
    halves: bool = False  # the still lies in two parts
    endless: bool = False  # the last box reaches to the end of the file


def _inside(data: bytes, at: int = 0) -> dict[bytes, bytes]:
    found = {}
    while at < len(data):
        size = int.from_bytes(data[at : at + 4])
        found[data[at + 4 : at + 8]] = data[at + 8 : at + size]
        at += size
    return found


def relaid(still: bytes, layout: Layout, *, exif: bytes, xmp: bytes) -> bytes:
    """The AVIF `still`, as ffmpeg writes it, with alpha and with what is said of it."""
    top = _inside(still)
    meta = _inside(top[b"meta"], 4)
    picture = top[b"mdat"]
    held = {STILL: picture, ALPHA: picture, EXIF: bytes(4) + exif, XMP: xmp}
    said = (EXIF, XMP) if layout.in_meta else ()
    idat = b"".join(held[item] for item in said)
    media = b"".join(content for item, content in held.items() if item not in said)
    head = box(b"ftyp", top[b"ftyp"])
    parts = [meta_of(meta, layout, held, 0), box(b"idat", idat)]
    size = 12 + sum(map(len, parts))
    parts[0] = meta_of(meta, layout, held, len(head) + size + 8)
    made = head + box(b"meta", bytes(4), *parts)
    mdat = box(b"mdat", media)
    return made + (bytes(4) + mdat[4:] if layout.endless else mdat)


def meta_of(meta: dict[bytes, bytes], layout: Layout, held: dict[int, bytes], at: int) -> bytes:
    """All but the idat, the first item's bytes being at this byte of the file."""
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
            _iloc(layout, held, at),
            _iinf(layout),
            _iref(layout),
            box(b"iprp", ipco, box(b"ipma", ipma)),
        )
    )


def _iinf(layout: Layout) -> bytes:
    made = []
    for item, kind in _KINDS.items():
        number = item.to_bytes(4 if layout.wide else 2) + bytes(2)
        named = b"SECRET PROMPT\0" + (_RDF if kind == b"mime" else b"")
        made.append(box(b"infe", bytes((2 + layout.wide,)) + bytes(3), number, kind, named))
    count = len(made).to_bytes(4 if layout.wide else 2)
    return box(b"iinf", bytes((layout.wide,)) + bytes(3), count, *made)


def _iref(layout: Layout) -> bytes:
    wide = 4 if layout.wide else 2
    bound = ((b"auxl", ALPHA), (b"cdsc", EXIF), (b"cdsc", XMP))
    made = (
        box(kind, item.to_bytes(wide), (1).to_bytes(2), STILL.to_bytes(wide))
        for kind, item in bound
    )
    return box(b"iref", bytes((layout.wide,)) + bytes(3), *made)


def _iloc(layout: Layout, held: dict[int, bytes], at: int) -> bytes:
    wide = 4 if layout.iloc == 2 else 2
    sizes = struct.pack(">BB", layout.offset << 4 | layout.length, layout.base << 4 | layout.index)
    rows, inside = [sizes, len(held).to_bytes(wide)], 0
    for item, content in held.items():
        beside = layout.in_meta and item in {EXIF, XMP}
        begin = inside if beside else at
        rows.append(item.to_bytes(wide))
        rows.append(int(beside).to_bytes(2) if layout.iloc else b"")
        rows.append(_extents(layout, item, begin, len(content)))
        inside, at = inside + len(content) * beside, at + len(content) * (not beside)
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
