"""A sound made anew around the same packets: pieces of the source, and new tags between them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from worker.formats.copy_range import copy_range

MAX_TAGS = 16 << 20  # bytes of a file's tags that are read into memory
MAX_PARTS = 10_000  # frames, comments or chunks of a file that are looked at


class NotTaggable(Exception):
    """The file gets no tags of ours, and stays as it is; the message says why."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes of the source that stay as they are."""

    start: int
    size: int

    def __len__(self) -> int:
        return self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class RewrittenFile:
    """What is written, in order, and which tags of the source are replaced by ours."""

    pieces: tuple[bytes | ByteRange, ...]
    replaced: tuple[str, ...] = ()

    def write(self, source: BinaryIO, target: Path) -> None:
        """`target` holds the pieces; what the source holds is never in memory."""
        with target.open("wb") as out:
            for piece in self.pieces:
                if isinstance(piece, ByteRange):
                    out.flush()
                    copy_range(source, out, piece.start, piece.size)
                else:
                    out.write(piece)


def read_at(file: BinaryIO, start: int, size: int, what: str) -> bytes:
    """So many bytes from there. Raises NotTaggable where they are too many, or are not there."""
    if size > MAX_TAGS:
        raise NotTaggable(f"{what} is larger than {MAX_TAGS} bytes")
    file.seek(start)
    data = file.read(size)
    if len(data) < size:
        raise NotTaggable(f"{what} is cut short")
    return data


def names(replaced: Iterable[str]) -> tuple[str, ...]:
    """Each name once, in order."""
    return tuple(sorted(set(replaced)))
