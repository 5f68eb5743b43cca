"""JPEG files, by their markers (ITU-T T.81, Annex B)."""

from collections.abc import Iterator

from worker.pictures.exif import turn

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
XMP = b"http://ns.adobe.com/xap/1.0/\0"  # XMP Specification Part 3, 1.1.3
MAX_SEGMENT = 0xFFFF - 2  # bytes that an APP1 segment holds
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15 without DHT, JPG, DAC
_SCAN = 0xDA
_EXIF = b"Exif\0\0"  # CIPA DC-008, 4.7.2
# What may be said beside the picture: APP0 to APP15, COM. Of these stay those that change how it
# looks, or are credentials: JFIF, ICC profile, JUMBF, Adobe's colour transform.
_SAYING = frozenset(range(0xE0, 0xF0)) | {0xFE}
_KEPT = {0xE0: b"JFIF\0", 0xE2: b"ICC_PROFILE\0", 0xEB: b"JP", 0xEE: b"Adobe"}
_APP0, _APP1 = 0xE0, 0xE1
_HEAD = 4  # bytes of a marker and its length


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height in pixels; (0, 0) where this is no JPEG, or is cut short."""
    if not data.startswith(SOI) or not data.endswith(EOI):
        return 0, 0
    for marker, at, length in _segments(data):
        if marker in _FRAMES and length >= _HEAD + 5:
            return int.from_bytes(data[at + 7 : at + 9]), int.from_bytes(data[at + 5 : at + 7])
    return 0, 0


def xmp_of(data: bytes) -> bytes:
    """The XMP packet of the picture, b"" for none."""
    for marker, at, length in _segments(data):
        if marker == _APP1 and data.startswith(XMP, at + _HEAD):
            return data[at + _HEAD + len(XMP) : at + length]
    return b""


def tagged(data: bytes, xmp: bytes) -> bytes:
    """The same picture, turned as it was, with this XMP packet and nothing else said of it."""
    if len(XMP + xmp) > MAX_SEGMENT:
        raise ValueError("the XMP packet is too large for a JPEG")
    first, turned, kept, end = b"", b"", list[bytes](), len(SOI)
    for marker, at, length in _segments(data):
        part, end = data[at : at + length], at + length
        said = part[_HEAD:]
        if marker == _APP1 and said.startswith(_EXIF):
            turned = turned or turn(said[len(_EXIF) :])
        elif marker in _SAYING and not (marker in _KEPT and said.startswith(_KEPT[marker])):
            continue
        elif marker == _APP0:
            first = first or part  # JFIF wants to be the first segment
        else:
            kept.append(part)
    exif = _app1(_EXIF + turned) if turned else b""
    return b"".join((SOI, first, exif, _app1(XMP + xmp), *kept, data[end:]))


def _app1(body: bytes) -> bytes:
    return b"\xff\xe1" + (len(body) + 2).to_bytes(2) + body


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and length of each segment before the first scan."""
    at = len(SOI)
    while len(data) - at >= _HEAD and data[at] == 0xFF and data[at + 1] != _SCAN:  # noqa: PLR2004
        if data[at + 1] == 0xFF:  # noqa: PLR2004 - B.1.1.2: any number of these may go before
            at += 1
            continue
        length = 2 + int.from_bytes(data[at + 2 : at + 4])
        if length < _HEAD or at + length > len(data):
            return
        yield data[at + 1], at, length
        at += length
