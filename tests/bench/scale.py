"""What a million ended jobs cost: `python -m tests.bench.scale [--records 1000000]`.

Two stacks run side by side. One Redis holds that many published jobs, the other a thousand, so that
its lists have a full page. Both get the same jobs, moves and reads in turn; the figures are the
medians of the rounds' ratios.

Also measured: the bytes of a published job at rest (all its keys; not the streams of events, which
are bounded), and the commands and processor time of one, beyond those of an idle stack.
Moves a second of one node and of a cluster of three are only reported: on two cores they share what
one has. Prints the figures and writes them into bench.json under `scale.*`.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median, quantiles

from tests.bench.figures import Bars, report
from tests.bench.moves import moves_per_second
from tests.bench.preload import TEMPLATE, preload, template
from tests.bench.scale_system import ScaleSystem, scale_system
from worker.jobs.listing import page, read

BARS = Bars(
    least={"scale.jobs_full_over_empty": 0.9, "scale.moves_full_over_empty": 0.9},
    most={
        "scale.list_p99_full_over_empty": 1.3,
        "scale.bytes_per_job": 4_096,
        "scale.commands_per_job": 120,
    },
)
FEW = 1_000
ROUNDS = 3
JOBS = 80
# Processes that move records, and the jobs of each.
MOVERS, MOVED = 4, 40
LISTS = 200
COUNTED = 100
IDLE = 10.0
TIME = "time"


def main() -> int:
    """Run the benchmark. Return 0 if all bars were reached, 1 if not."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scale")
    parser.add_argument("--records", type=int, default=1_000_000, help="jobs that have ended")
    records = parser.parse_args().records
    with tempfile.TemporaryDirectory(prefix="falhook-scale-") as scratch:
        here = Path(scratch)
        with scale_system(here / "empty") as empty, scale_system(here / "full") as full:
            figures = {**one_job(empty), **filled(empty, full, records)}
            figures |= compared(empty, full)
    return report("scale.", figures, BARS)


def one_job(system: ScaleSystem) -> Mapping[str, float]:
    """Measure what one job takes: what many take, less what an idle stack takes meanwhile."""
    system.publish(*_ids("warm", 10), TEMPLATE)
    time.sleep(IDLE / 2)
    before = _spent(system)
    time.sleep(IDLE)
    idle = _since(system, before)
    before = _spent(system)
    system.publish(*_ids("counted", COUNTED))
    busy = _since(system, before)
    each = {name: (busy[name] - idle[name] * busy[TIME] / idle[TIME]) / COUNTED for name in busy}
    return {
        "scale.commands_per_job": each["commands"],
        "scale.redis_cpu_ms_per_job": each["redis"] * 1000,
        "scale.cpu_ms_per_job": each["processes"] * 1000,
        "scale.idle_commands_per_second": idle["commands"] / idle[TIME],
    }


def _spent(system: ScaleSystem) -> Mapping[str, float]:
    """Return what a system has taken so far: commands, and seconds of clock and processors."""
    return {
        TIME: time.monotonic(),
        "commands": system.commands(),
        "redis": system.redis_seconds(),
        "processes": system.processor_seconds(),
    }


def _since(system: ScaleSystem, before: Mapping[str, float]) -> Mapping[str, float]:
    return {name: value - before[name] for name, value in _spent(system).items()}


def filled(empty: ScaleSystem, full: ScaleSystem, records: int) -> Mapping[str, float]:
    """Preload both systems; measure the bytes of each record in the full one."""
    record = template(empty.raw)
    preload(empty.raw, record, FEW, now=time.time())
    before, began = full.used_memory(), time.monotonic()
    preload(full.raw, record, records, now=time.time())
    return {
        "scale.records": records,
        "scale.preload_s": time.monotonic() - began,
        "scale.bytes_per_job": (full.used_memory() - before) / records,
    }


def compared(empty: ScaleSystem, full: ScaleSystem) -> Mapping[str, float]:
    """Measure both systems in turn."""
    full.publish(*_ids("warm", 10))
    jobs = _rounds(
        (empty, full), "jobs", lambda system, name: JOBS / system.publish(*_ids(name, JOBS))
    )
    moves = _rounds(
        (empty, full),
        "moves",
        lambda system, name: moves_per_second(system.url, name, processes=MOVERS, jobs=MOVED),
    )
    lists = [_lists(empty, full) for _ in range(ROUNDS)]
    return {
        "scale.jobs_per_second": median(one for one, _ in jobs),
        "scale.jobs_full_over_empty": _ratio(jobs),
        "scale.moves_per_second": median(one for one, _ in moves),
        "scale.moves_full_over_empty": _ratio(moves),
        "scale.list_p99_ms": median(one for one, _ in lists),
        "scale.list_p99_full_over_empty": _ratio(lists),
    }


def _rounds(
    systems: tuple[ScaleSystem, ScaleSystem],
    name: str,
    measure: Callable[[ScaleSystem, str], float],
) -> list[tuple[float, float]]:
    """Return what was measured of both, round by round; each is first in every second round."""
    measured = []
    for number in range(ROUNDS):
        order = systems if number % 2 else systems[::-1]
        first, second = (measure(system, f"{name}{number}") for system in order)
        measured.append((first, second) if number % 2 else (second, first))
    return measured


def _lists(empty: ScaleSystem, full: ScaleSystem) -> tuple[float, float]:
    """Return the p99 in ms of the first page with its records, of both, read in turn."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(LISTS):
        for system, taken in zip((empty, full), times, strict=True):
            began = time.perf_counter()
            read(system.redis, page(system.redis).ids)
            taken.append((time.perf_counter() - began) * 1000)
    return quantiles(times[0], n=100)[-1], quantiles(times[1], n=100)[-1]


def _ratio(measured: list[tuple[float, float]]) -> float:
    return median(full / empty for empty, full in measured)


def _ids(name: str, number: int) -> list[str]:
    return [f"{name}-{each}" for each in range(number)]


if __name__ == "__main__":
    sys.exit(main())
