"""The chunks of a WAV (Multimedia Programming Interface and Data Specifications 1.0, chapter 2).

RF64 and BW64, whose sizes take 64 bits: https://tech.ebu.ch/docs/tech/tech3306.pdf.
"""

import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from worker.formats.audio.rewrite import MAX_PARTS, ByteRange, NotTaggable, read_at

WAVE = re.compile(rb"(RIFF|RF64|BW64)....WAVE", re.DOTALL)
HEADER_BYTES = 8  # bytes of a chunk's type and size
_FIRST = 12  # offset of the first chunk
_IN_DS64 = 0xFFFFFFFF  # marks a size that is stored in the ds64 chunk
_ENDLESS = 0x7FFFF000  # the least size that programs claim which cannot seek back
_DS64 = struct.Struct("<QQ")  # bytes of the whole file, bytes of the samples
_MAX_DS64 = 4096  # bytes of that chunk, its table included


@dataclass(frozen=True, slots=True)
class RiffChunk:
    """A chunk of a file: its header as it is to be written, and where its content is."""

    head: bytes
    start: int
    size: int

    @property
    def kind(self) -> bytes:
        """The chunk's type: four letters."""
        return self.head[:4]

    def pieces(self) -> tuple[bytes | ByteRange, ...]:
        """Return the whole chunk, padded."""
        return self.head, ByteRange(self.start, self.size), bytes(self.size % 2)


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk with this content, padded."""
    return struct.pack("<4sI", kind, len(content)) + content + bytes(len(content) % 2)


def is_info(file: BinaryIO, chunk: RiffChunk) -> bool:
    """Return whether a LIST chunk holds tags."""
    file.seek(chunk.start)
    return chunk.size >= len(b"INFO") and file.read(4) == b"INFO"


def subchunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return type and content of the chunks in a chunk. Raises NotTaggable if they do not fit."""
    result: list[tuple[bytes, bytes]] = []
    at = 0
    while len(data) - at >= HEADER_BYTES:
        kind, size = struct.unpack_from("<4sI", data, at)
        if size > len(data) - at - HEADER_BYTES or len(result) > MAX_PARTS:
            raise NotTaggable("one of its chunks is broken")
        result.append((kind, data[at + HEADER_BYTES : at + HEADER_BYTES + size]))
        at += HEADER_BYTES + size + size % 2
    return result


def chunks(file: BinaryIO, length: int) -> Iterator[RiffChunk]:
    """Yield the chunks that fill the file. Raises NotTaggable if they do not."""
    at, data_size = _FIRST, None
    for _ in range(MAX_PARTS):
        file.seek(at)
        head = file.read(HEADER_BYTES)
        if len(head) < HEADER_BYTES:
            if any(head):
                raise NotTaggable("it is not a complete WAV: it ends inside a chunk header")
            return
        kind, size = struct.unpack("<4sI", head)
        left = length - at - HEADER_BYTES
        if kind == b"data" and data_size is not None and size == _IN_DS64:
            size = data_size
        elif kind == b"data" and size >= _ENDLESS and left < size:
            size, head = left, struct.pack("<4sI", kind, left)
        if size > left:
            raise NotTaggable("it is not a complete WAV: it is cut short")
        if kind == b"ds64" and size >= _DS64.size:
            ds64 = read_at(file, at + HEADER_BYTES, _DS64.size, "its ds64 chunk")
            data_size = _DS64.unpack(ds64)[1]
        yield RiffChunk(head, at + HEADER_BYTES, size)
        at += HEADER_BYTES + size + size % 2
    raise NotTaggable(f"it has more than {MAX_PARTS} chunks")


def assembled(
    file: BinaryIO, kept: Iterable[RiffChunk], added: bytes
) -> tuple[bytes | ByteRange, ...]:
    """Return a file of these chunks followed by `added`, its size updated. Raises NotTaggable."""
    mark = read_at(file, 0, _FIRST, "its header")[:4]
    first, *others = kept
    pieces = [piece for other in others for piece in other.pieces()]
    size = (
        len(b"WAVE")
        + HEADER_BYTES
        + first.size
        + first.size % 2
        + sum(map(len, pieces))
        + len(added)
    )
    if mark == b"RIFF":
        if size >= _IN_DS64:
            raise NotTaggable("with our tags it would be larger than a WAV can be")
        return mark + struct.pack("<I4s", size, b"WAVE"), *first.pieces(), *pieces, added
    if first.kind != b"ds64" or not _DS64.size <= first.size <= _MAX_DS64:
        raise NotTaggable("it is not a complete WAV: its ds64 chunk does not come first")
    ds64 = read_at(file, first.start, first.size, "its ds64 chunk")
    sizes = chunk(b"ds64", struct.pack("<Q", size) + ds64[8:])
    return mark + struct.pack("<I4s", _IN_DS64, b"WAVE"), sizes, *pieces, added
