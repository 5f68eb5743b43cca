"""The directories in which one clip's files are written and verified."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_SCRATCH = ".unverified"


@dataclass(frozen=True, slots=True)
class Workspace:
    """A directory for finished files; `scratch` is a directory in it for unverified outputs."""

    into: Path
    scratch: Path

    @classmethod
    def create(cls, into: Path) -> Self:
        """Create both directories; delete what an earlier try left in the scratch directory."""
        scratch = into / _SCRATCH
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        return cls(into=into, scratch=scratch)
