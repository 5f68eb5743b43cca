"""WebP files, by their chunks (https://developers.google.com/speed/webp/docs/riff_container)."""

from collections.abc import Iterator

from worker.formats.images.byte_ranges import MAX_METADATA, Piece, assembled, bounded
from worker.formats.images.exif import orientation_block

_HEAD = 8  # bytes of a chunk's type and size
_FIRST = 12  # offset of the first chunk
_HAS_XMP, _HAS_EXIF, _HAS_ALPHA = 0x04, 0x08, 0x10
_METADATA = frozenset({b"EXIF", b"XMP "})


def begins(data: bytes) -> bool:
    """Return whether a file with these first bytes is a WebP."""
    return data[:4] + data[8:12] == b"RIFFWEBP"


def size_of(data: bytes) -> tuple[int, int]:
    """Return width and height in pixels; (0, 0) if this is not a complete WebP."""
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
    """Return the image's XMP packet, or b""."""
    return _body(data, b"XMP ")


def exif_of(data: bytes) -> bytes:
    """Return the image's EXIF as a TIFF block, or b""."""
    return _body(data, b"EXIF").removeprefix(b"Exif\0\0")  # some writers add it


def credentials_of(data: bytes) -> Iterator[range]:
    """Return the byte ranges of content credentials (C2PA 2.2, appendix A)."""
    return (range(at, end) for kind, at, end in _chunks(data) if kind == b"C2PA")


def tagged(data: bytes, xmp: bytes) -> bytes:
    """Return the image with this XMP packet and its orientation as its only metadata."""
    orientation = orientation_block(exif_of(data))
    pieces: list[Piece] = [_extended(data, has_exif=bool(orientation))]
    for kind, at, end in _chunks(data):
        if kind != b"VP8X" and kind not in _METADATA:
            pieces += [range(at, end), bytes(end % 2)]
    pieces.append(_chunk(b"EXIF", orientation) if orientation else b"")
    pieces.append(_chunk(b"XMP ", xmp))
    size = len(b"WEBP") + sum(map(len, pieces))
    return assembled(data, (b"RIFF" + size.to_bytes(4, "little") + b"WEBP", *pieces))


def _extended(data: bytes, *, has_exif: bool) -> bytes:
    """Return the VP8X chunk, which lists the other chunks and the size of the image."""
    width, height = size_of(data)
    if body := _body(data, b"VP8X"):
        flags = body[0]
    else:  # the 29th bit: alpha is used
        flags = _HAS_ALPHA if (_body(data, b"VP8L")[4:5] or b"\0")[0] & 0x10 else 0
    flags = flags & ~_HAS_EXIF | _HAS_XMP | (_HAS_EXIF if has_exif else 0)
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return _chunk(b"VP8X", bytes((flags, 0, 0, 0)) + size)


def _body(data: bytes, kind: bytes) -> bytes:
    """Return the content of the first chunk of this type, up to MAX_METADATA bytes, or b""."""
    for chunk_kind, at, end in _chunks(data):
        if chunk_kind == kind:
            return data[at + _HEAD : min(end, at + MAX_METADATA)]
    return b""


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + len(body).to_bytes(4, "little") + body + b"\0" * (len(body) % 2)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield type, start and end of each complete chunk. Raises ValueError if there are too many."""
    return bounded(_all_chunks(data))


def _all_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    at, last = _FIRST, min(len(data), _HEAD + int.from_bytes(data[4:8], "little"))
    while last - at >= _HEAD:
        end = at + _HEAD + int.from_bytes(data[at + 4 : at + 8], "little")
        if end > last:
            return
        yield data[at : at + 4], at, end
        at = end + end % 2
