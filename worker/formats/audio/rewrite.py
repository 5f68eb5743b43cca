"""An audio file written again around the same packets: ranges of the source, new tags between."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from worker.formats.copy_range import copy_range

MAX_TAGS = 16 << 20  # bytes of a file's tags that are read into memory
MAX_PARTS = 10_000  # frames, comments or chunks that are read of one file


class NotTaggable(Exception):
    """A file that cannot be tagged and stays unchanged; the message says why."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A range of the source that is copied unchanged."""

    start: int
    size: int

    def __len__(self) -> int:
        return self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class RewrittenFile:
    """The pieces of the new file, in order; `replaced`: names of tags that ours took over."""

    pieces: tuple[bytes | ByteRange, ...]
    replaced: tuple[str, ...] = ()

    def write(self, source: BinaryIO, target: Path) -> None:
        """Write the pieces to `target`; ranges of the source are copied in bounded memory."""
        with target.open("wb") as out:
            for piece in self.pieces:
                if isinstance(piece, ByteRange):
                    out.flush()
                    copy_range(source, out, piece.start, piece.size)
                else:
                    out.write(piece)


def read_at(file: BinaryIO, start: int, size: int, what: str) -> bytes:
    """Return `size` bytes at `start`. Raises NotTaggable if they are too many, or missing."""
    if size > MAX_TAGS:
        raise NotTaggable(f"{what} is larger than {MAX_TAGS} bytes")
    file.seek(start)
    data = file.read(size)
    if len(data) < size:
        raise NotTaggable(f"{what} is cut short")
    return data


def unique_names(replaced: Iterable[str]) -> tuple[str, ...]:
    """Return each name once, sorted."""
    return tuple(sorted(set(replaced)))
