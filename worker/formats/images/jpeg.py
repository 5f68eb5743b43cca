"""JPEG files, by their markers (ITU-T T.81, Annex B)."""

import re
from collections.abc import Iterator

from worker.formats.images.byte_ranges import Piece, assembled, bounded
from worker.formats.images.exif import orientation_block

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
XMP = b"http://ns.adobe.com/xap/1.0/\0"  # XMP Specification Part 3, 1.1.3
MAX_SEGMENT = 0xFFFF - 2  # bytes that an APP1 segment holds
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15 without DHT, JPG, DAC
_SCAN, _END = 0xDA, 0xD9
_EXIF = b"Exif\0\0"  # CIPA DC-008, 4.7.2
# Segments of metadata: APP0 to APP15, COM. Those are kept that change how the image looks, or are
# credentials: JFIF, ICC profile, JUMBF, Adobe's colour transform.
_METADATA = frozenset(range(0xE0, 0xF0)) | {0xFE}
_KEPT = {0xE0: b"JFIF\0", 0xE2: b"ICC_PROFILE\0", 0xEB: b"JP", 0xEE: b"Adobe"}
_APP0, _APP1, _APP11 = 0xE0, 0xE1, 0xEB
_HEAD = 4  # bytes of a marker and its length
# In a scan's data 0xFF is followed by 0, or begins a restart marker (B.1.1.5), or fills (B.1.1.2).
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_FILLED = re.compile(rb"\xff*")


def begins(data: bytes) -> bool:
    """Return whether a file with these first bytes is a JPEG."""
    return data.startswith(SOI)


def size_of(data: bytes) -> tuple[int, int]:
    """Return width and height in pixels; (0, 0) if this is not a complete JPEG."""
    size, marker = (0, 0), 0
    for marker, at, end in _parts(data):
        if marker in _FRAMES and end - at >= _HEAD + 5 and not any(size):
            size = int.from_bytes(data[at + 7 : at + 9]), int.from_bytes(data[at + 5 : at + 7])
    return size if marker == _END else (0, 0)


def xmp_of(data: bytes) -> bytes:
    """Return the image's XMP packet, or b""."""
    return _segment(data, XMP)


def exif_of(data: bytes) -> bytes:
    """Return the image's EXIF as a TIFF block, or b""."""
    return _segment(data, _EXIF)


def credentials_of(data: bytes) -> Iterator[range]:
    """Return the byte ranges of content credentials (C2PA 2.2, appendix A)."""
    return (range(at, end) for marker, at, end in _parts(data) if marker == _APP11)


def left_out(data: bytes) -> str | None:
    """Return what follows the image in its file and a tagged copy lacks, in words; or None."""
    ends = next((end for marker, _, end in _parts(data) if marker == _END), len(data))
    if SOI + b"\xff" in data[ends:]:
        return "a second picture, such as a gain map or a preview"
    return f"{len(data) - ends} bytes after the picture" if len(data) > ends else None


def tagged(data: bytes, xmp: bytes) -> bytes:
    """Return the image with this XMP packet and its orientation as its only metadata.

    What follows the image is removed: another one, a gain map or a preview, has metadata of its
    own, and is found only through a segment that is removed.
    """
    if len(XMP + xmp) > MAX_SEGMENT:
        raise ValueError("the XMP packet is too large for a JPEG")
    orientation = orientation_block(exif_of(data))
    exif = _app1(_EXIF + orientation) if orientation else b""
    first, kept = b"", list[Piece]()
    for marker, at, end in _parts(data):
        if marker in _METADATA and not _is_kept(data, marker, at + _HEAD, end):
            continue
        if marker == _APP0:
            first = first or data[at:end]  # JFIF must be the first segment
        else:
            kept.append(range(at, end))
    return assembled(data, (SOI, first, exif, _app1(XMP + xmp), *kept))


def _is_kept(data: bytes, marker: int, at: int, end: int) -> bool:
    return marker in _KEPT and data.startswith(_KEPT[marker], at, end)


def _segment(data: bytes, mark: bytes) -> bytes:
    for marker, at, end in _parts(data):
        if marker == _APP1 and data.startswith(mark, at + _HEAD, end):
            return data[at + _HEAD + len(mark) : end]
    return b""


def _app1(body: bytes) -> bytes:
    return b"\xff\xe1" + (len(body) + 2).to_bytes(2) + body


def _parts(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each segment to the end of the image; a scan with its data.

    Raises ValueError if there are too many.
    """
    return bounded(_all_parts(data))


def _all_parts(data: bytes) -> Iterator[tuple[int, int, int]]:
    at = len(SOI) if begins(data) else len(data)
    while at < len(data) and data[at] == 0xFF:  # noqa: PLR2004
        at = _FILLED.match(data, at).end() - 1  # type: ignore[union-attr] # matches anything
        marker = data[at + 1] if at + 1 < len(data) else 0
        if marker == _END:
            yield marker, at, at + 2
            return
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
        if end < at + _HEAD or end > len(data):
            return
        if marker == _SCAN:
            match = _MARKER.search(data, end)
            end = match.start() if match else len(data)
        yield marker, at, end
        at = end
