"""The parts of an image file as byte ranges, so that the file itself is never cut up."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

MAX_PARTS = 100_000  # of one file: a PNG of 32 MB has 8,192 where ffmpeg wrote it
MAX_METADATA = 1 << 20  # bytes that are read of one piece of metadata
Piece = bytes | range  # new bytes, or a range of the source that is kept

T = TypeVar("T")


def bounded(parts: Iterable[T]) -> Iterator[T]:
    """Yield the same parts. Raises ValueError if there are more than MAX_PARTS."""
    for number, part in enumerate(parts):
        if number == MAX_PARTS:
            raise ValueError(f"it has more than {MAX_PARTS} parts")
        yield part


def assembled(data: bytes | bytearray, pieces: Iterable[Piece]) -> bytes:
    """Return the file of these pieces; ranges are copied from `data`, each byte once."""
    view, merged = memoryview(data), list[Piece]()
    for piece in pieces:
        last = merged[-1] if merged else b""
        if isinstance(piece, range) and isinstance(last, range) and last.stop == piece.start:
            merged[-1] = range(last.start, piece.stop)
        else:
            merged.append(piece)
    return b"".join(
        view[piece.start : piece.stop] if isinstance(piece, range) else piece for piece in merged
    )
