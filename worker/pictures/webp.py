"""WebP files, by their chunks (https://developers.google.com/speed/webp/docs/riff_container)."""

from collections.abc import Iterator, Mapping

from worker.pictures.exif import turn

_HEAD = 8  # bytes of a chunk's type and size
_HAS_XMP, _HAS_EXIF, _HAS_ALPHA = 0x04, 0x08, 0x10
_SAYING = frozenset({b"EXIF", b"XMP "})


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height in pixels; (0, 0) where this is no WebP, or is cut short."""
    if data[:4] + data[8:12] != b"RIFFWEBP" or int.from_bytes(data[4:8], "little") + 8 > len(data):
        return 0, 0
    for kind, body in _chunks(data):
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
    return next((body for kind, body in _chunks(data) if kind == b"XMP "), b"")


def tagged(data: bytes, xmp: bytes) -> bytes:
    """The same picture, turned as it was, with this XMP packet and nothing else said of it."""
    chunks = dict(_chunks(data))
    turned = turn(chunks.get(b"EXIF", b"").removeprefix(b"Exif\0\0"))  # some writers add it
    kept = [
        _chunk(kind, body)
        for kind, body in _chunks(data)
        if kind != b"VP8X" and kind not in _SAYING
    ]
    said = [_chunk(b"EXIF", turned)] if turned else []
    said.append(_chunk(b"XMP ", xmp))
    body = b"".join((b"WEBP", _extended(data, chunks, is_turned=bool(turned)), *kept, *said))
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def _extended(data: bytes, chunks: Mapping[bytes, bytes], *, is_turned: bool) -> bytes:
    """The chunk that says which others there are, and how large the picture is."""
    width, height = size_of(data)
    alpha = b"VP8L" in chunks and chunks[b"VP8L"][4] & 0x10  # ...is used, in its 29th bit
    flags = chunks[b"VP8X"][0] if b"VP8X" in chunks else _HAS_ALPHA if alpha else 0
    flags = flags & ~_HAS_EXIF | _HAS_XMP | (_HAS_EXIF if is_turned else 0)
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return _chunk(b"VP8X", bytes((flags, 0, 0, 0)) + size)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + len(body).to_bytes(4, "little") + body + b"\0" * (len(body) % 2)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of each chunk that fits."""
    at = 12
    while len(data) - at >= _HEAD:
        end = at + _HEAD + int.from_bytes(data[at + 4 : at + 8], "little")
        if end > len(data):
            return
        yield data[at : at + 4], data[at + _HEAD : end]
        at = end + end % 2
