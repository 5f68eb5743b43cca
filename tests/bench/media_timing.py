"""Timing of rivals: interleaved, and on chosen processors."""

import os
import resource
import shutil
import statistics
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

Rival = Callable[[Path], object]


def interleaved(
    rivals: Mapping[str, Rival], here: Path, *, rounds: int, clock: Callable[[], float]
) -> dict[str, float]:
    """Return the median of each rival's cost by this clock; in each round all take their turn."""
    costs: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(rounds):
        for name, rival in rivals.items():
            target = here / "target"
            began = clock()
            rival(target)
            costs[name].append(clock() - began)
            shutil.rmtree(target) if target.is_dir() else target.unlink()
    return {name: statistics.median(measured) for name, measured in costs.items()}


def processor_seconds() -> float:
    """Return the processor seconds of this process and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


@contextmanager
def only_on(processors: Collection[int]) -> Iterator[None]:
    """Run this thread, and programs that it starts, only on these processors inside the block."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
