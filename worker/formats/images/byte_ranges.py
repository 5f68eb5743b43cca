"""The parts of a picture's file, by where they lie: the file itself is never cut into pieces."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

MAX_PARTS = 100_000  # of one file: a PNG of 32 MB has 8,192 where ffmpeg wrote it
MAX_SAID = 1 << 20  # bytes of one thing that a picture says which are read
Piece = bytes | range  # what is new, or from where to where the file's own bytes stay

T = TypeVar("T")


def bounded(parts: Iterable[T]) -> Iterator[T]:
    """The same parts. Raises ValueError where they are more than are looked at."""
    for number, part in enumerate(parts):
        if number == MAX_PARTS:
            raise ValueError(f"it has more than {MAX_PARTS} parts")
        yield part


def joined(data: bytes | bytearray, pieces: Iterable[Piece]) -> bytes:
    """The file of these pieces, each byte of `data` copied once."""
    view, found = memoryview(data), list[Piece]()
    for piece in pieces:
        last = found[-1] if found else b""
        if isinstance(piece, range) and isinstance(last, range) and last.stop == piece.start:
            found[-1] = range(last.start, piece.stop)
        else:
            found.append(piece)
    return b"".join(
        view[piece.start : piece.stop] if isinstance(piece, range) else piece for piece in found
    )
