"""Credentials that a file came with, read before anything is signed."""

from dataclasses import dataclass
from pathlib import Path

from worker.jobs import Json
from worker.provenance.reading import show

_UNREADABLE = "unreadable"
_PARENT = "parent"


@dataclass(frozen=True, slots=True)
class Vendor:
    """What became of the credentials that a source had.

    `kept` says where: they are the `parent` of ours; or nobody can read them (`unreadable`), and
    then, as where nothing is signed, the source itself is published beside, and is named. `state`
    is how they validate against the anchors that are ours: Trusted, Valid or Invalid.
    """

    kept: str
    state: str | None = None

    @classmethod
    def of(cls, source: Path, anchors: str) -> "Vendor":
        """Of a source that has credentials, whether or not they can be read."""
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
