"""Credentials that a file came with, read before anything is signed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from worker.provenance.reader import show
from worker.types import Json

MAX_READ = 8 << 20  # bytes of credentials that the SDK gets: it takes 20 times that, or more
_COMPRESSED = b"brob"  # a box of JPEG XL, in which the SDK unpacks whatever there is
_UNREADABLE = "unreadable"
_PARENT = "parent"


@dataclass(frozen=True, slots=True)
class SourceCredentials:
    """What became of the credentials that a source had.

    `kept` says where: they are the `parent` of ours; or nobody can read them (`unreadable`), and
    then, as where nothing is signed, the source itself is published beside, and is named. `state`
    is how they validate against the anchors that are ours: Trusted, Valid or Invalid.
    """

    kept: str
    state: str | None = None

    @classmethod
    def of(cls, source: Path, places: Sequence[range], anchors: str) -> "SourceCredentials":
        """Of a source that has credentials, in these bytes, whether or not they can be read."""
        if not may_be_read(source, places):
            return cls(_UNREADABLE)
        try:
            shown = show(source, anchors)
        except ValueError:
            shown = None  # a Reader refuses what cannot be an ingredient either
        return cls(_PARENT, shown.state) if shown else cls(_UNREADABLE)

    @property
    def is_parent(self) -> bool:
        """Whether they can be the parent of ours."""
        return self.kept == _PARENT

    def record(self) -> dict[str, Json]:
        """As a job's record and the manifest hold it."""
        state: dict[str, Json] = {"vendor_validation": self.state} if self.state else {}
        return {"vendor": self.kept, **state}


def may_be_read(source: Path, places: Sequence[range]) -> bool:
    """Whether a reader may have these bytes of the file: not where they may fill the memory."""
    if sum(map(len, places)) > MAX_READ:
        return False
    with source.open("rb") as file:
        return not any(_COMPRESSED in _read(file, place) for place in places)


def _read(file: BinaryIO, place: range) -> bytes:
    file.seek(place.start)
    return file.read(len(place))
