"""Credentials that a source file already has, read before anything is signed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from worker.provenance.reader import show
from worker.types import Json

MAX_READ = 8 << 20  # bytes of credentials that the SDK may read: it uses 20 times that, or more
_COMPRESSED = b"brob"  # a box of JPEG XL, which the SDK decompresses without a limit
UNREADABLE = "unreadable"
_PARENT = "parent"


@dataclass(frozen=True, slots=True)
class SourceCredentials:
    """What became of the credentials of a source.

    `kept` is "parent" if they are the parent of ours, "unreadable" if the SDK cannot read them, or
    the name of a published copy of the source if nothing is signed. `state` is how they validate
    with our anchors: Trusted, Valid or Invalid.
    """

    kept: str
    state: str | None = None

    @classmethod
    def of(cls, source: Path, places: Sequence[range], anchors: str) -> "SourceCredentials":
        """Read the credentials of a source, which are in these byte ranges."""
        if not may_be_read(source, places):
            return cls(UNREADABLE)
        try:
            report = show(source, anchors)
        except ValueError:
            report = None  # a file that the Reader refuses cannot be an ingredient either
        return cls(_PARENT, report.state) if report else cls(UNREADABLE)

    @property
    def is_parent(self) -> bool:
        """Whether they are the parent of ours."""
        return self.kept == _PARENT

    def not_a_parent(self) -> "SourceCredentials":
        """Return what became of them if ours could not be made with them as the parent."""
        return SourceCredentials(UNREADABLE) if self.is_parent else self

    def record(self) -> dict[str, Json]:
        """Return the fields of the job's record and the manifest."""
        state: dict[str, Json] = {"vendor_validation": self.state} if self.state else {}
        return {"vendor": self.kept, **state}


def may_be_read(source: Path, places: Sequence[range]) -> bool:
    """Return whether the SDK may read these byte ranges without filling the memory."""
    if sum(map(len, places)) > MAX_READ:
        return False
    with source.open("rb") as file:
        return not any(_COMPRESSED in _read(file, place) for place in places)


def _read(file: BinaryIO, place: range) -> bytes:
    file.seek(place.start)
    return file.read(len(place))
