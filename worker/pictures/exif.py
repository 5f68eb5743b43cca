"""EXIF: how a picture is turned, without anything else (CIPA DC-008, 4.6.2 and 4.6.5)."""

from typing import Literal

_ORDERS: dict[bytes, Literal["little", "big"]] = {b"II*\0": "little", b"MM\0*": "big"}
_ORIENTATION = 0x0112
_ENTRY = 12  # bytes of a tag: its number, type, count and value
_TURNED = range(2, 9)  # values of the orientation but the upright one


def turn(tiff: bytes) -> bytes:
    """A TIFF block that holds the orientation of this one alone, b"" where that is upright.

    The other tags may hold a prompt: descriptions, comments, the names of programs.
    """
    if (order := _ORDERS.get(tiff[:4])) is None:
        return b""
    at = int.from_bytes(tiff[4:8], order)
    count = int.from_bytes(tiff[at : at + 2], order)
    for begin in range(at + 2, min(at + 2 + count * _ENTRY, len(tiff)), _ENTRY):
        if int.from_bytes(tiff[begin : begin + 2], order) == _ORIENTATION:
            value = int.from_bytes(tiff[begin + 8 : begin + 10], order)
            return _block(value) if value in _TURNED else b""
    return b""


def _block(orientation: int) -> bytes:
    entry = b"\x12\x01\x03\0\1\0\0\0" + orientation.to_bytes(4, "little")  # one short number
    return b"II*\0\x08\0\0\0\1\0" + entry + bytes(4)
