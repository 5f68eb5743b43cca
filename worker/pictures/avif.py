"""AVIF files of one still, by their boxes (ISO/IEC 14496-12, 8.11; AV1 Image File Format).

Of another layout, with alpha, tiles or a thumbnail beside the still, or with XMP that does not lie
at its end, a file has no size here: what belongs to which item could not be told.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from worker.mp4.probe import C2PA
from worker.pictures.parts import bounded

_HEAD = 8  # bytes of a box's size and type
_FULL = 12  # and with version and flags
_SIZES = 0x4400  # iloc: 4 bytes each of offset and length, none of base offset and index
_PLACE = struct.Struct(">3H2I")  # iloc: item, data reference, extents, offset, length
_XMP_ITEM = b"mime\0application/rdf+xml\0"  # infe: its type, no name, its content's type
_XMP_NUMBER = 0xFFFF
_NEEDED = frozenset({b"iloc", b"iinf", b"iprp"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Still:
    """`head`, a `meta` box of `parts`, then `data`, where the still `number` lies; `xmp` apart."""

    head: bytes
    parts: Mapping[bytes, bytes]
    data: bytes
    item: bytes
    number: int
    begins: int
    length: int
    xmp: bytes


def begins(data: bytes) -> bool:
    """Whether a file that begins so is an AVIF."""
    return data[4:12] in {b"ftypavif", b"ftypavis"}


def exif_of(_: bytes) -> bytes:
    """Nothing."""
    return b""


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height in pixels; (0, 0) where this is no such AVIF, or is cut short."""
    if (still := _read(data)) is None:
        return 0, 0
    properties = still.parts[b"iprp"]
    at = properties.find(b"ispe") + _FULL - 4
    width, height = properties[at : at + 4], properties[at + 4 : at + 8]
    return int.from_bytes(width), int.from_bytes(height)


def xmp_of(data: bytes) -> bytes:
    """The XMP packet of the picture, b"" for none."""
    still = _read(data)
    return still.xmp if still else b""


def credentials_of(data: bytes) -> Iterator[range]:
    """Where content credentials lie (C2PA 2.2, appendix A)."""
    return (range(at, end) for _, at, end in _boxes(data, 0) if data.startswith(C2PA, at + _HEAD))


def tagged(data: bytes, xmp: bytes) -> bytes:
    """The same picture with this XMP packet, and no other: an item that describes the still."""
    if (still := _read(data)) is None:
        raise ValueError("it is no AVIF of one still")
    item = _box(b"infe", struct.pack(">IHH", 2 << 24, _XMP_NUMBER, 0), _XMP_ITEM)
    parts = {
        **still.parts,
        b"iinf": _box(b"iinf", struct.pack(">IH", 0, 2), still.item, item),
        b"iref": _box(
            b"iref", bytes(4), _box(b"cdsc", struct.pack(">3H", _XMP_NUMBER, 1, still.number))
        ),
        b"iloc": _located((still.number, 0, 0), (_XMP_NUMBER, 0, 0)),
    }
    behind = len(still.head) + len(_meta(parts))  # the header: as long, whatever it says is where
    last = behind + len(still.data) + _HEAD
    parts[b"iloc"] = _located(
        (still.number, behind + still.begins, still.length), (_XMP_NUMBER, last, len(xmp))
    )
    return b"".join((still.head, _meta(parts), still.data, _box(b"mdat", xmp)))


def _read(data: bytes) -> _Still | None:
    boxes = list(_boxes(data, 0))
    kinds = [kind for kind, _, _ in boxes[:2]]
    if kinds != [b"ftyp", b"meta"] or data[8:12] != b"avif" or boxes[-1][2] != len(data):
        return None
    (_, _, begin), (_, _, end) = boxes[:2]
    parts = {kind: data[a:b] for kind, a, b in _boxes(data[:end], begin + _FULL)}
    if not set(parts) >= _NEEDED or b"ispe" not in parts[b"iprp"]:
        return None
    items, places = _items(parts[b"iinf"]), _places(parts[b"iloc"])
    xmp = b""
    if len(items) == len(places) == 2 and items[1].endswith(_XMP_ITEM):  # noqa: PLR2004
        *_, at, length = places.pop()
        items.pop()
        if boxes.pop() != (b"mdat", at - _HEAD, at + length):
            return None
        data, xmp = data[: at - _HEAD], data[at : at + length]
        parts.pop(b"iref", None)
    if len(items) != 1 or len(places) != 1 or b"iref" in parts:
        return None
    number, reference, extents, at, length = places[0]
    if (reference, extents) != (0, 1) or not end <= at < at + length <= len(data):
        return None
    return _Still(
        head=data[:begin],
        parts=parts,
        data=data[end:],
        item=items[0],
        number=number,
        begins=at - end,
        length=length,
        xmp=xmp,
    )


def _items(iinf: bytes) -> list[bytes]:
    """The infe boxes; none where the box is of another version."""
    found = [iinf[a:b] for _, a, b in _boxes(iinf, _FULL + 2)]
    return found if iinf[_HEAD : _FULL + 2] == struct.pack(">IH", 0, len(found)) else []


def _places(iloc: bytes) -> list[tuple[int, ...]]:
    """Where each item lies; none where the box is of another version, or has wider numbers."""
    rows = iloc[_FULL + 4 :]
    head = struct.pack(">IHH", 0, _SIZES, len(rows) // _PLACE.size)
    if iloc[_HEAD : _FULL + 4] != head or len(rows) % _PLACE.size:
        return []
    return list(_PLACE.iter_unpack(rows))


def _located(*places: tuple[int, int, int]) -> bytes:
    rows = (_PLACE.pack(item, 0, 1, at, length) for item, at, length in places)
    return _box(b"iloc", struct.pack(">IHH", 0, _SIZES, len(places)), *rows)


def _meta(parts: Mapping[bytes, bytes]) -> bytes:
    return _box(b"meta", bytes(4), *parts.values())


def _box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return (_HEAD + len(body)).to_bytes(4) + kind + body


def _boxes(data: bytes, at: int) -> Iterator[tuple[bytes, int, int]]:
    """Type, start and end of each box that fits. Raises ValueError for too many."""
    return bounded(_all_boxes(data, at))


def _all_boxes(data: bytes, at: int) -> Iterator[tuple[bytes, int, int]]:
    while len(data) - at >= _HEAD:
        end = at + int.from_bytes(data[at : at + 4])
        if end < at + _HEAD or end > len(data):
            return
        yield data[at + 4 : at + 8], at, end
        at = end
