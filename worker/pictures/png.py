"""PNG files, by their chunks (https://www.w3.org/TR/png-3/#5Chunk-layout)."""

import zlib
from collections.abc import Iterator

from worker.pictures.exif import turn

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_XMP = b"XML:com.adobe.xmp"  # XMP Specification Part 3, 1.1.5: an iTXt chunk's keyword
_AROUND = 12  # bytes of a chunk besides its data
_SAYING = frozenset({b"tEXt", b"zTXt", b"iTXt", b"eXIf"})
_MAX_TEXT = 1 << 20  # bytes of a compressed text that are read


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height in pixels; (0, 0) where this is no PNG, or is cut short."""
    kinds = [kind for kind, _ in _chunks(data)]
    if not kinds or (kinds[0], kinds[-1]) != (b"IHDR", b"IEND"):
        return 0, 0
    return int.from_bytes(data[16:20]), int.from_bytes(data[20:24])


def xmp_of(data: bytes) -> bytes:
    """The XMP packet of the picture, b"" for none."""
    return text_of(data, _XMP)


def text_of(data: bytes, keyword: bytes) -> bytes:
    """What the first text chunk of this keyword says, Latin-1 or UTF-8, b"" for none."""
    for kind, part in _chunks(data):
        name, _, rest = part[8:-4].partition(b"\0")
        if name == keyword and kind in _SAYING:
            return _text(kind, rest)
    return b""


def tagged(data: bytes, xmp: bytes) -> bytes:
    """The same picture, turned as it was, with this XMP packet and nothing else said of it."""
    parts = list(_chunks(data))
    turned = b"".join(turn(part[8:-4]) for kind, part in parts if kind == b"eXIf")
    said = [_chunk(b"iTXt", _XMP + bytes(5) + xmp)]  # not compressed, no language, no translation
    if turned:
        said.append(_chunk(b"eXIf", turned))
    (_, header), *others = parts
    kept = (part for kind, part in others if kind not in _SAYING)
    return b"".join((SIGNATURE, header, *said, *kept))


def _text(kind: bytes, rest: bytes) -> bytes:
    """The text of a chunk after its keyword, however it is held."""
    if kind == b"tEXt":
        return rest
    is_compressed, text = True, rest[1:]  # zTXt: a method, then the text
    if kind == b"iTXt":
        is_compressed, text = rest[:1] == b"\1", rest[2:].split(b"\0", 2)[-1]
    if not is_compressed:
        return text
    try:
        return zlib.decompressobj().decompress(text, _MAX_TEXT)
    except zlib.error:
        return b""


def _chunk(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and whole bytes of each chunk that fits."""
    at = len(SIGNATURE) if data.startswith(SIGNATURE) else len(data)
    while len(data) - at >= _AROUND:
        end = at + _AROUND + int.from_bytes(data[at : at + 4])
        if end > len(data):
            return
        yield data[at + 4 : at + 8], data[at:end]
        at = end
