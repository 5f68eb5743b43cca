"""PNG files, by their chunks (https://www.w3.org/TR/png-3/#5Chunk-layout)."""

import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_XMP = b"XML:com.adobe.xmp\0"  # XMP Specification Part 3, 1.1.5: an iTXt chunk's keyword
_AROUND = 12  # bytes of a chunk besides its data


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height in pixels; (0, 0) where this is no PNG, or is cut short."""
    kinds = [kind for kind, _ in _chunks(data)]
    if not kinds or (kinds[0], kinds[-1]) != (b"IHDR", b"IEND"):
        return 0, 0
    return int.from_bytes(data[16:20]), int.from_bytes(data[20:24])


def tagged(data: bytes, xmp: bytes) -> bytes:
    """The same picture with this XMP packet, and no other."""
    parts = [
        part for kind, part in _chunks(data) if kind != b"iTXt" or not part[8:].startswith(_XMP)
    ]
    body = b"iTXt" + _XMP + bytes(4) + xmp  # not compressed, no language, no translated keyword
    chunk = (len(body) - 4).to_bytes(4) + body + zlib.crc32(body).to_bytes(4)
    return b"".join((SIGNATURE, parts[0], chunk, *parts[1:]))


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and whole bytes of each chunk that fits."""
    at = len(SIGNATURE) if data.startswith(SIGNATURE) else len(data)
    while len(data) - at >= _AROUND:
        end = at + _AROUND + int.from_bytes(data[at : at + 4])
        if end > len(data):
            return
        yield data[at + 4 : at + 8], data[at:end]
        at = end
