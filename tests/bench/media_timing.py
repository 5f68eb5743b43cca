"""How rivals are timed: in one interleaved run, on processors that are named."""

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
    """The median of each rival's cost by this clock; each round, all of them in turn."""
    costs: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(rounds):
        for name, rival in rivals.items():
            target = here / "target"
            begun = clock()
            rival(target)
            costs[name].append(clock() - begun)
            shutil.rmtree(target) if target.is_dir() else target.unlink()
    return {name: statistics.median(measured) for name, measured in costs.items()}


def processor_seconds() -> float:
    """Processor time of this process and of all its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


@contextmanager
def only_on(processors: Collection[int]) -> Iterator[None]:
    """Inside, this thread and the programs that it starts run on these processors alone."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
