"""Resources that work took, as the kernel counts them."""

import resource
import sys
from dataclasses import asdict, dataclass

from worker.types import Json

_RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # getrusage(2): bytes on macOS, else kilobytes


@dataclass(slots=True, kw_only=True)
class ResourceUsage:
    """Processor and wall time in seconds; peak memory, bytes read and bytes written.

    `memory` is the peak of the program that did the work. If the worker did it itself, it is the
    worker's peak since its start. On Linux a program's peak is at least the worker's own when it
    started the program: the kernel counts from before exec (getrusage(2), ru_maxrss).
    """

    cpu: float = 0.0
    wall: float = 0.0
    memory: int = 0
    bytes_in: int = 0
    bytes_out: int = 0

    def add_child(self, child: "ResourceUsage") -> None:
        """Add the processor time of a program that was run for this work, and raise the peak."""
        self.cpu += child.cpu
        self.memory = max(self.memory, child.memory)

    def record(self) -> dict[str, Json]:
        """Return the fields as JSON for the job's record and the manifest, times in whole ms."""
        return {**asdict(self), "cpu": round(self.cpu, 3), "wall": round(self.wall, 3)}


def peak_memory(usage: resource.struct_rusage) -> int:
    """Return the peak resident memory in bytes."""
    return usage.ru_maxrss * _RSS_UNIT
