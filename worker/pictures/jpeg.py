"""The size of a JPEG picture, from its markers (ITU-T T.81, Annex B), without decoding it."""

from pathlib import Path

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15 without DHT, JPG, DAC
_SCAN = 0xDA


def size_of(path: Path) -> tuple[int, int]:
    """Width and height in pixels; (0, 0) where the file is no JPEG, or is cut short."""
    data = path.read_bytes()
    if not data.startswith(SOI) or not data.endswith(EOI):
        return 0, 0
    at = len(SOI)
    while len(data) - at >= 9 and data[at] == 0xFF and data[at + 1] != _SCAN:  # noqa: PLR2004
        if data[at + 1] in _FRAMES:
            return int.from_bytes(data[at + 7 : at + 9]), int.from_bytes(data[at + 5 : at + 7])
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return 0, 0
