"""PNG files, by their chunks (https://www.w3.org/TR/png-3/#5Chunk-layout)."""

import zlib
from collections.abc import Iterator

from worker.formats.images.byte_ranges import MAX_METADATA, Piece, assembled, bounded
from worker.formats.images.exif import orientation_block

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_XMP = b"XML:com.adobe.xmp"  # XMP Specification Part 3, 1.1.5: an iTXt chunk's keyword
_HEAD, _CRC = 8, 4  # bytes of a chunk before and after its data
_METADATA = frozenset({b"tEXt", b"zTXt", b"iTXt", b"eXIf"})


def begins(data: bytes) -> bool:
    """Return whether a file with these first bytes is a PNG."""
    return data.startswith(SIGNATURE)


def size_of(data: bytes) -> tuple[int, int]:
    """Return width and height in pixels; (0, 0) if this is not a complete PNG."""
    first = last = b""
    for kind, _, _ in _chunks(data):
        first, last = first or kind, kind
    if (first, last) != (b"IHDR", b"IEND"):
        return 0, 0
    return int.from_bytes(data[16:20]), int.from_bytes(data[20:24])


def xmp_of(data: bytes) -> bytes:
    """Return the image's XMP packet, or b""."""
    return text_of(data, _XMP)


def exif_of(data: bytes) -> bytes:
    """Return the image's EXIF as a TIFF block, or b""."""
    return next((_body(data, at, end) for kind, at, end in _chunks(data) if kind == b"eXIf"), b"")


def credentials_of(data: bytes) -> Iterator[range]:
    """Return the byte ranges of content credentials (C2PA 2.2, appendix A)."""
    return (range(at, end) for kind, at, end in _chunks(data) if kind == b"caBX")


def text_of(data: bytes, keyword: bytes) -> bytes:
    """Return the text of the first chunk with this keyword, in Latin-1 or UTF-8, or b""."""
    for kind, at, end in _chunks(data):
        if kind in _METADATA and data.startswith(keyword + b"\0", at + _HEAD, end):
            return _text(kind, _body(data, at, end)[len(keyword) + 1 :])
    return b""


def tagged(data: bytes, xmp: bytes) -> bytes:
    """Return the image with this XMP packet and its orientation as its only metadata."""
    return assembled(data, _pieces(data, xmp))


def _pieces(data: bytes, xmp: bytes) -> Iterator[Piece]:
    orientation, is_written = orientation_block(exif_of(data)), False
    yield SIGNATURE
    for kind, at, end in _chunks(data):
        if kind not in _METADATA:
            yield range(at, end)
        if not is_written:  # the first chunk was the header
            # Not compressed, no language, no translation.
            yield _chunk(b"iTXt", _XMP + bytes(5) + xmp)
            yield _chunk(b"eXIf", orientation) if orientation else b""
            is_written = True


def _body(data: bytes, at: int, end: int) -> bytes:
    return data[at + _HEAD : min(end - _CRC, at + MAX_METADATA)]


def _text(kind: bytes, rest: bytes) -> bytes:
    """Return the text after a chunk's keyword, decompressed; b"" if it is broken."""
    if kind == b"tEXt":
        return rest
    is_compressed, text = True, rest[1:]  # zTXt: a method, then the text
    if kind == b"iTXt":
        is_compressed, text = rest[:1] == b"\1", rest[2:].split(b"\0", 2)[-1]
    if not is_compressed:
        return text
    try:
        return zlib.decompressobj().decompress(text, MAX_METADATA)
    except zlib.error:
        return b""


def _chunk(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield type, start and end of each complete chunk up to IEND.

    Raises ValueError if there are too many.
    """
    return bounded(_all_chunks(data))


def _all_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    at = len(SIGNATURE) if begins(data) else len(data)
    while len(data) - at >= _HEAD + _CRC:
        end = at + _HEAD + _CRC + int.from_bytes(data[at : at + 4])
        if end > len(data):
            return
        kind = data[at + 4 : at + 8]
        yield kind, at, end
        if kind == b"IEND":  # what follows is not part of the image
            return
        at = end
