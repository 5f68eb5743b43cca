"""EXIF: an image's orientation and user comment (CIPA DC-008, 4.6.2 and 4.6.5)."""

from collections.abc import Iterator
from typing import Literal

_Order = Literal["little", "big"]
_ORDERS: dict[bytes, _Order] = {b"II*\0": "little", b"MM\0*": "big"}
_ORIENTATION, _IFD, _COMMENT = 0x0112, 0x8769, 0x9286
_ENTRY = 12  # bytes of a tag: its number, type, count and value
_NOT_UPRIGHT = range(2, 9)  # orientations other than upright
_MAX_TAGS = 1000  # of a directory
# The first bytes of a comment, and its encoding ("": UTF-16 in the byte order of the block).
_CODES = {b"ASCII\0\0\0": "utf-8", b"UNICODE\0": "", b"JIS\0\0\0\0\0": "iso2022_jp"}


def orientation_block(tiff: bytes) -> bytes:
    """Return a TIFF block that holds only the orientation of this one; b"" if it is upright.

    The other tags may hold a prompt: descriptions, comments, the names of programs.
    """
    if (order := _ORDERS.get(tiff[:4])) is None:
        return b""
    for number, begin in _tags(tiff, int.from_bytes(tiff[4:8], order), order):
        if number == _ORIENTATION:
            value = int.from_bytes(tiff[begin + 8 : begin + 10], order)
            return _block(value) if value in _NOT_UPRIGHT else b""
    return b""


def user_comment(tiff: bytes) -> str:
    """Return the user comment, or "": some producers put their label here."""
    if (order := _ORDERS.get(tiff[:4])) is None:
        return ""
    first = dict(_tags(tiff, int.from_bytes(tiff[4:8], order), order))
    exif = first.get(_IFD)
    tags = first | (dict(_tags(tiff, _value(tiff, exif, order), order)) if exif else {})
    if (entry := tags.get(_COMMENT)) is None:
        return ""
    count, at = int.from_bytes(tiff[entry + 4 : entry + 8], order), _value(tiff, entry, order)
    comment = tiff[at : at + count]
    utf_16 = "utf-16-le" if order == "little" else "utf-16-be"
    encoding = _CODES.get(comment[:8], "utf-8") or utf_16
    text = comment[8:] if comment[:8] in _CODES or not any(comment[:8]) else comment
    return text.decode(encoding, "replace").strip("\0 \r\n\t\ufeff")


def _value(tiff: bytes, entry: int, order: _Order) -> int:
    return int.from_bytes(tiff[entry + 8 : entry + 12], order)


def _tags(tiff: bytes, at: int, order: _Order) -> Iterator[tuple[int, int]]:
    """Yield the number and offset of each tag of a directory."""
    count = min(int.from_bytes(tiff[at : at + 2], order), _MAX_TAGS)
    for begin in range(at + 2, min(at + 2 + count * _ENTRY, len(tiff)), _ENTRY):
        yield int.from_bytes(tiff[begin : begin + 2], order), begin


def _block(orientation: int) -> bytes:
    entry = b"\x12\x01\x03\0\1\0\0\0" + orientation.to_bytes(4, "little")  # one short number
    return b"II*\0\x08\0\0\0\1\0" + entry + bytes(4)
