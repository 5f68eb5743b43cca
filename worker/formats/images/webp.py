"""WebP files, by their chunks (https://developers.google.com/speed/webp/docs/riff_container)."""

from collections.abc import Iterator

from worker.formats.images.byte_ranges import MAX_SAID, Piece, bounded, joined
from worker.formats.images.exif import turn

_HEAD = 8  # bytes of a chunk's type and size
_FIRST = 12  # where the first chunk begins
_HAS_XMP, _HAS_EXIF, _HAS_ALPHA = 0x04, 0x08, 0x10
_SAYING = frozenset({b"EXIF", b"XMP "})


def begins(data: bytes) -> bool:
    """Whether a file that begins so is a WebP."""
    return data[:4] + data[8:12] == b"RIFFWEBP"


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height in pixels; (0, 0) where this is no WebP, or is cut short."""
    if not begins(data) or int.from_bytes(data[4:8], "little") + _HEAD > len(data):
        return 0, 0
    for kind, at, end in _chunks(data):
        body = data[at + _HEAD : min(end, at + _HEAD + 10)]
        match kind:
            case b"VP8X" if len(body) >= 10:  # noqa: PLR2004
                width, height = body[4:7], body[7:10]
                return 1 + int.from_bytes(width, "little"), 1 + int.from_bytes(height, "little")
            case b"VP8 " if body[3:6] == b"\x9d\x01\x2a":
                width, height = body[6:8], body[8:10]
                mask = 0x3FFF
                return (
                    int.from_bytes(width, "little") & mask,
                    int.from_bytes(height, "little") & mask,
                )
            case b"VP8L" if body[:1] == b"\x2f":
                bits = int.from_bytes(body[1:5], "little")
                return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return 0, 0


def xmp_of(data: bytes) -> bytes:
    """The XMP packet of the picture, b"" for none."""
    return _body(data, b"XMP ")


def exif_of(data: bytes) -> bytes:
    """The TIFF block of the picture, b"" for none."""
    return _body(data, b"EXIF").removeprefix(b"Exif\0\0")  # some writers add it


def credentials_of(data: bytes) -> Iterator[range]:
    """Where content credentials lie (C2PA 2.2, appendix A)."""
    return (range(at, end) for kind, at, end in _chunks(data) if kind == b"C2PA")


def tagged(data: bytes, xmp: bytes) -> bytes:
    """The same picture, turned as it was, with this XMP packet and nothing else said of it."""
    turned = turn(exif_of(data))
    pieces: list[Piece] = [_extended(data, is_turned=bool(turned))]
    for kind, at, end in _chunks(data):
        if kind != b"VP8X" and kind not in _SAYING:
            pieces += [range(at, end), bytes(end % 2)]
    pieces.append(_chunk(b"EXIF", turned) if turned else b"")
    pieces.append(_chunk(b"XMP ", xmp))
    size = len(b"WEBP") + sum(map(len, pieces))
    return joined(data, (b"RIFF" + size.to_bytes(4, "little") + b"WEBP", *pieces))


def _extended(data: bytes, *, is_turned: bool) -> bytes:
    """The chunk that says which others there are, and how large the picture is."""
    width, height = size_of(data)
    if held := _body(data, b"VP8X"):
        flags = held[0]
    else:  # alpha is used, says the 29th bit
        flags = _HAS_ALPHA if (_body(data, b"VP8L")[4:5] or b"\0")[0] & 0x10 else 0
    flags = flags & ~_HAS_EXIF | _HAS_XMP | (_HAS_EXIF if is_turned else 0)
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return _chunk(b"VP8X", bytes((flags, 0, 0, 0)) + size)


def _body(data: bytes, kind: bytes) -> bytes:
    """The content of the first chunk of this type, as far as it is read, b"" for none."""
    for found, at, end in _chunks(data):
        if found == kind:
            return data[at + _HEAD : min(end, at + MAX_SAID)]
    return b""


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + len(body).to_bytes(4, "little") + body + b"\0" * (len(body) % 2)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Type, start and end of each chunk that fits. Raises ValueError for too many."""
    return bounded(_all_chunks(data))


def _all_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    at, last = _FIRST, min(len(data), _HEAD + int.from_bytes(data[4:8], "little"))
    while last - at >= _HEAD:
        end = at + _HEAD + int.from_bytes(data[at + 4 : at + 8], "little")
        if end > last:
            return
        yield data[at : at + 4], at, end
        at = end + end % 2
