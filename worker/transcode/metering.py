"""A meter of the resources that each part of a step takes."""

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager

from worker.transcode.ffmpeg import ResourceUsage
from worker.transcode.ffmpeg.usage import peak_memory
from worker.types import Json


class Meter:
    """Measures the parts of one step, by name."""

    def __init__(self) -> None:
        self.parts: dict[str, ResourceUsage] = {}

    @contextmanager
    def measure(self, name: str, *, bytes_in: int = 0) -> Iterator[ResourceUsage]:
        """Measure the time and memory of the body; the caller adds bytes and child programs."""
        usage = self.parts[name] = ResourceUsage(bytes_in=bytes_in)
        cpu, wall = time.process_time(), time.monotonic()
        try:
            yield usage
        finally:
            usage.cpu += time.process_time() - cpu
            usage.wall = time.monotonic() - wall
            own = peak_memory(resource.getrusage(resource.RUSAGE_SELF))
            usage.memory = usage.memory or own

    def total(self) -> ResourceUsage:
        """Return the sum of all parts; `memory` is the largest peak."""
        parts = self.parts.values()
        return ResourceUsage(
            cpu=sum(part.cpu for part in parts),
            wall=sum(part.wall for part in parts),
            memory=max((part.memory for part in parts), default=0),
            bytes_in=sum(part.bytes_in for part in parts),
            bytes_out=sum(part.bytes_out for part in parts),
        )

    def record(self) -> dict[str, Json]:
        """Return the total and the parts by name as JSON for the job's record and the manifest."""
        parts: dict[str, Json] = {name: part.record() for name, part in self.parts.items()}
        return {**self.total().record(), "parts": parts}
