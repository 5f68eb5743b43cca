"""The directories in which one clip's files are written and verified."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from worker.formats.mp4 import ProbeResult, faults, repair

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

    def repaired(self, path: Path, source: ProbeResult) -> Path:
        """Return the MP4 at `path`, or a copy in the scratch directory if it has faults."""
        if not faults(source):
            return path
        target = self.scratch / "source" / path.name
        target.parent.mkdir()
        repair(path, target)
        return target
