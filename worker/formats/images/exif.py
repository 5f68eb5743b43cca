"""EXIF: how a picture is turned, and a producer's comment (CIPA DC-008, 4.6.2 and 4.6.5)."""

from collections.abc import Iterator
from typing import Literal

_Order = Literal["little", "big"]
_ORDERS: dict[bytes, _Order] = {b"II*\0": "little", b"MM\0*": "big"}
_ORIENTATION, _IFD, _COMMENT = 0x0112, 0x8769, 0x9286
_ENTRY = 12  # bytes of a tag: its number, type, count and value
_TURNED = range(2, 9)  # values of the orientation but the upright one
_MAX_TAGS = 1000  # of a directory
# How the comment begins, and in what it is written.
_CODES = {b"ASCII\0\0\0": "utf-8", b"UNICODE\0": "", b"JIS\0\0\0\0\0": "iso2022_jp"}


def turn(tiff: bytes) -> bytes:
    """A TIFF block that holds the orientation of this one alone, b"" where that is upright.

    The other tags may hold a prompt: descriptions, comments, the names of programs.
    """
    if (order := _ORDERS.get(tiff[:4])) is None:
        return b""
    for number, begin in _tags(tiff, int.from_bytes(tiff[4:8], order), order):
        if number == _ORIENTATION:
            value = int.from_bytes(tiff[begin + 8 : begin + 10], order)
            return _block(value) if value in _TURNED else b""
    return b""


def user_comment(tiff: bytes) -> str:
    """The comment of whoever made the picture, "" for none: some producers put their label here."""
    if (order := _ORDERS.get(tiff[:4])) is None:
        return ""
    first = dict(_tags(tiff, int.from_bytes(tiff[4:8], order), order))
    inner = first.get(_IFD)
    tags = first | (dict(_tags(tiff, _value(tiff, inner, order), order)) if inner else {})
    if (entry := tags.get(_COMMENT)) is None:
        return ""
    count, at = int.from_bytes(tiff[entry + 4 : entry + 8], order), _value(tiff, entry, order)
    said = tiff[at : at + count]
    encoding = _CODES.get(said[:8], "utf-8") or ("utf-16-le" if order == "little" else "utf-16-be")
    text = said[8:] if said[:8] in _CODES or not any(said[:8]) else said
    return text.decode(encoding, "replace").strip("\0 \r\n\t\ufeff")


def _value(tiff: bytes, entry: int, order: _Order) -> int:
    return int.from_bytes(tiff[entry + 8 : entry + 12], order)


def _tags(tiff: bytes, at: int, order: _Order) -> Iterator[tuple[int, int]]:
    """The number of each tag of a directory, and where it stands."""
    count = min(int.from_bytes(tiff[at : at + 2], order), _MAX_TAGS)
    for begin in range(at + 2, min(at + 2 + count * _ENTRY, len(tiff)), _ENTRY):
        yield int.from_bytes(tiff[begin : begin + 2], order), begin


def _block(orientation: int) -> bytes:
    entry = b"\x12\x01\x03\0\1\0\0\0" + orientation.to_bytes(4, "little")  # one short number
    return b"II*\0\x08\0\0\0\1\0" + entry + bytes(4)
