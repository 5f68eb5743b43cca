"""What work costs: processor and wall time, memory, bytes read and written."""

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from worker.transcode.ffmpeg import Used
from worker.types import Json

_RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # getrusage(2) counts bytes, or kilobytes


@dataclass(slots=True, kw_only=True)
class Cost:
    """One piece of work: seconds, and bytes.

    `memory` is the peak of the program that did it; where that is the worker itself, the peak
    since it was started.
    """

    cpu: float = 0.0
    wall: float = 0.0
    memory: int = 0
    bytes_in: int = 0
    bytes_out: int = 0

    def child(self, used: Used) -> None:
        """Count what a program took that was run for this work."""
        self.cpu += used.cpu
        self.memory = max(self.memory, used.memory)

    def record(self) -> dict[str, Json]:
        """As a job's record and the manifest hold it, times to the millisecond."""
        return {**asdict(self), "cpu": round(self.cpu, 3), "wall": round(self.wall, 3)}


class Meter:
    """Measures the parts of one step, by name."""

    def __init__(self) -> None:
        self.costs: dict[str, Cost] = {}

    @contextmanager
    def measure(self, name: str, *, bytes_in: int = 0) -> Iterator[Cost]:
        """Measure what is done inside; the caller counts bytes and programs that it ran."""
        cost = self.costs[name] = Cost(bytes_in=bytes_in)
        cpu, wall = time.process_time(), time.monotonic()
        try:
            yield cost
        finally:
            cost.cpu += time.process_time() - cpu
            cost.wall = time.monotonic() - wall
            own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT
            cost.memory = cost.memory or own

    def total(self) -> Cost:
        """All parts together; of memory the largest."""
        parts = self.costs.values()
        return Cost(
            cpu=sum(part.cpu for part in parts),
            wall=sum(part.wall for part in parts),
            memory=max((part.memory for part in parts), default=0),
            bytes_in=sum(part.bytes_in for part in parts),
            bytes_out=sum(part.bytes_out for part in parts),
        )

    def record(self) -> dict[str, Json]:
        """The total, and its parts by name, as a job's record and the manifest hold them."""
        parts: dict[str, Json] = {name: part.record() for name, part in self.costs.items()}
        return {**self.total().record(), "parts": parts}
