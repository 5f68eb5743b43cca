"""GIF files, by their blocks (https://www.w3.org/Graphics/GIF/spec-gif89a.txt)."""

import re
from collections.abc import Iterator

from worker.formats.images.byte_ranges import MAX_METADATA, Piece, assembled, bounded

_VERSION = re.compile(rb"GIF8[79]a")
_HEAD = 13  # bytes before the global colour table
_TRAILER = 0x3B
_COMMENT = b"\x21\xfe"
_XMP = b"\x21\xff\x0bXMP DataXMP"  # XMP Specification Part 3, 1.1.2: an application extension
# The packet is not split into sub-blocks: every byte of it, read as a length, leads here.
_END = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
_C2PA = b"\x21\xff\x0bC2PA_GIF"
_MAX_SUB_BLOCKS = 1 << 20  # sub-blocks of all blocks together: a GIF of 32 MB has 131,586 full ones


def begins(data: bytes) -> bool:
    """Return whether a file with these first bytes is a GIF."""
    return _VERSION.match(data) is not None


def size_of(data: bytes) -> tuple[int, int]:
    """Return width and height in pixels; (0, 0) if this is not a complete GIF."""
    if not any(data[at] == _TRAILER for at, _ in _blocks(data)):
        return 0, 0
    return int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")


def xmp_of(data: bytes) -> bytes:
    """Return the image's XMP packet, or b""."""
    for at, after in _blocks(data):
        if data.startswith(_XMP, at) and data.endswith(_END, at, after):
            return data[at + len(_XMP) : min(after - len(_END), at + MAX_METADATA)]
    return b""


def exif_of(_: bytes) -> bytes:
    """Return b"": a GIF has no place for EXIF."""
    return b""


def credentials_of(data: bytes) -> Iterator[range]:
    """Return the byte ranges of content credentials (C2PA 2.2, appendix A)."""
    return (range(at, end) for at, end in _blocks(data) if data.startswith(_C2PA, at))


def tagged(data: bytes, xmp: bytes) -> bytes:
    """Return the image with this XMP packet before its trailer, without others and comments."""
    return assembled(data, _pieces(data, xmp))


def _pieces(data: bytes, xmp: bytes) -> Iterator[Piece]:
    yield b"GIF89a"
    yield range(6, _first(data))
    for at, after in _blocks(data):
        if data[at] == _TRAILER:
            yield _XMP + xmp + _END
            yield range(at, after)
        elif not data.startswith((_XMP, _COMMENT), at):
            yield range(at, after)


def _first(data: bytes) -> int:
    """Return the offset of the first block."""
    return _HEAD + _table(data[10]) if len(data) >= _HEAD else len(data)


def _table(flags: int) -> int:
    """Return the size of a colour table in bytes."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _blocks(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield start and end of each complete block up to the trailer.

    Raises ValueError if there are too many.
    """
    return bounded(_all_blocks(data))


def _all_blocks(data: bytes) -> Iterator[tuple[int, int]]:
    at, left = _first(data) if begins(data) else len(data), _MAX_SUB_BLOCKS
    while at < len(data):
        match data[at]:
            case 0x3B:  # the trailer
                yield at, at + 1
                return
            case 0x21:  # an extension: its label, then sub-blocks
                after = at + 2
            case 0x2C if len(data) - at > 10:  # noqa: PLR2004 - an image
                after = at + 11 + _table(data[at + 9])
            case _:
                return
        while after < len(data) and data[after]:
            after, left = after + 1 + data[after], left - 1
            if left < 0:
                raise ValueError(f"it has more than {_MAX_SUB_BLOCKS} sub-blocks")
        after += 1
        if after > len(data):
            return
        yield at, after
        at = after
