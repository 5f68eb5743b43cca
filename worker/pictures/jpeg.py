"""JPEG files, by their markers (ITU-T T.81, Annex B)."""

from collections.abc import Iterator

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
XMP = b"http://ns.adobe.com/xap/1.0/\0"  # XMP Specification Part 3, 1.1.3
MAX_SEGMENT = 0xFFFF - 2  # bytes that an APP1 segment holds
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15 without DHT, JPG, DAC
_SCAN, _APP0, _APP1 = 0xDA, 0xE0, 0xE1
_HEAD = 4  # bytes of a marker and its length


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height in pixels; (0, 0) where this is no JPEG, or is cut short."""
    if not data.startswith(SOI) or not data.endswith(EOI):
        return 0, 0
    for marker, at, length in _segments(data):
        if marker in _FRAMES and length >= _HEAD + 5:
            return int.from_bytes(data[at + 7 : at + 9]), int.from_bytes(data[at + 5 : at + 7])
    return 0, 0


def tagged(data: bytes, xmp: bytes) -> bytes:
    """The same picture with this XMP packet, and no other."""
    if len(XMP + xmp) > MAX_SEGMENT:
        raise ValueError("the XMP packet is too large for a JPEG")
    segment = b"\xff\xe1" + (len(XMP + xmp) + 2).to_bytes(2) + XMP + xmp
    first, kept, end = b"", [], len(SOI)
    for marker, at, length in _segments(data):
        part, end = data[at : at + length], at + length
        if marker == _APP0 and not first:
            first = part  # JFIF wants to be the first segment
        elif marker != _APP1 or not part[_HEAD:].startswith(XMP):
            kept.append(part)
    return b"".join((SOI, first, segment, *kept, data[end:]))


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and length of each segment before the first scan."""
    at = len(SOI)
    while len(data) - at >= _HEAD and data[at] == 0xFF and data[at + 1] != _SCAN:  # noqa: PLR2004
        length = 2 + int.from_bytes(data[at + 2 : at + 4])
        if length < _HEAD or at + length > len(data):
            return
        yield data[at + 1], at, length
        at += length
