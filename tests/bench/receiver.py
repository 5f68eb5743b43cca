"""The receiver against its rivals: `python -m tests.bench.receiver [--quick] [--output FILE]`.

One interleaved run on distinct, validly signed bodies: (a) bare Starlette, (b) verify only,
(c) falhook with appendfsync everysec and always, also in two processes, (d) FastAPI + PyNaCl +
delay(). Each at its peak rate, at half of it, and at 400 callbacks a second. Afterwards a real
worker ingests every callback that was answered 200. Prints the figures and writes them into a flat
JSON file, under names that begin with `receiver.`. Processor time is that of a server's own
processes.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from infra.local.supervisor.process_guard import ProcessGuard
from tests import ROOT
from tests.bench.fastapi_venv import path_with_fastapi
from tests.bench.jobs import Ledger
from tests.bench.load import LoadPlan, Result
from tests.bench.programs import (
    WORKER,
    BenchFailed,
    Server,
    celery,
    environment,
    redis_with,
    served,
)
from tests.factories.callbacks import host

# Each with its appendfsync, and the number of its processes.
OURS = {"everysec": ("everysec", 1), "always": ("always", 1), "two": ("always", 2)}
VARIANTS = ("bare", "verify_only", *OURS, "naive")
LOW_RATE = 400.0
# The cores that two processes of ours need to be told from one by their rate.
CORES = 4
# verify-only's p99 at half load, on a machine that is quiet enough to judge ours.
QUIET_MS = 5.0
BARS = {
    "ours_over_naive": (">=", 6.0),
    "ours_over_verify_only": (">=", 0.85),
    "p99_ms_at_half_load": ("<=", 12.0),
    "cpu_us_per_callback.ours_over_verify_only": ("<=", 1.15),
    "cpu_us_per_callback.ours_over_naive": ("<=", 0.2),
    "cpu_us_per_callback.ours_at_400_over_peak": ("<=", 2.0),
    "two_processes_over_one": (">=", 1.8),
    "accepted_minus_ingested": ("<=", 0.0),
    "wake_p99_ms_idle": ("<=", 50.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One load of one variant; `cpu_us` is the server's processor time for each callback."""

    result: Result
    cpu_us: float


class Bench:
    """One run: its servers, what each round measured by kind and name, and the accepted callbacks.

    The kinds are `peak`, `half_load` and `low_load`.
    """

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.stack = stack
        self.directory = directory
        self.guard = ProcessGuard()
        stack.callback(self.guard.close)
        jwks_url = stack.enter_context(host()).url
        self.environs = {}
        for name, (appendfsync, processes) in OURS.items():
            redis = stack.enter_context(redis_with(directory / name, appendfsync))
            environ = environment(redis.url, jwks_url, directory)
            self.environs[name] = {**environ, "WEB_CONCURRENCY": str(processes)}
        self.ledgers = {name: Ledger(env["REDIS_URL"]) for name, env in self.environs.items()}
        self.servers = {name: self._serve(name) for name in VARIANTS}
        self.measured: dict[str, dict[str, list[Measured]]] = {}
        self.forget()

    def _serve(self, name: str) -> Server:
        env = dict(self.environs.get(name, self.environs["everysec"]))
        command = ["webhook"] if name in OURS else ["tests.bench.rivals", name]
        if name == "naive":
            env["PYTHONPATH"] += path_with_fastapi(ROOT / "var" / "bench-fastapi")
            env["BENCH_BROKER"] = env["REDIS_URL"].removesuffix("/0") + "/5"
        log = self.directory / f"{name}.log"
        return self.stack.enter_context(served(self.guard, command, env, log))

    def load(self, name: str, prefix: str, count: int, rate: float = 0.0, **more: int) -> Measured:
        """Send callbacks to one variant; for falhook, create the records of their jobs first."""
        server = self.servers[name]
        plan = LoadPlan(port=server.port, prefix=prefix, count=count, rate=rate, **more)
        ledger = self.ledgers.get(name)
        if ledger is not None:
            ledger.add(plan)
        command = [sys.executable, "-m", "tests.bench.load", json.dumps(asdict(plan))]
        before = server.cpu_seconds()
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        if done.returncode:
            raise BenchFailed(f"the load on {name} failed:\n{done.stderr[-2_000:]}")
        result = Result(**json.loads(done.stdout))
        if ledger is not None:
            ledger.accepted += result.accepted
        elif result.accepted != count:
            raise BenchFailed(f"{name} accepted {result.accepted} of {count}")
        return Measured(result=result, cpu_us=(server.cpu_seconds() - before) / count * 1e6)

    def round(self, number: int, count: int) -> None:
        """Load every variant once at its peak rate, at half of it, and at LOW_RATE."""
        for name in VARIANTS:
            size = count // 3 if name == "naive" else count
            peak = self.load(name, f"p{number}", size)
            half = self.load(name, f"h{number}", size // 3, peak.result.per_second / 2)
            low = self.load(name, f"l{number}", size // 3, LOW_RATE)
            for kind, measured in (("peak", peak), ("half_load", half), ("low_load", low)):
                self.measured[kind][name].append(measured)
            print_round(f"round {number} {name:<12}", peak, half, low)

    def forget(self) -> None:
        """Drop what was measured during the warm-up."""
        kinds = ("peak", "half_load", "low_load")
        self.measured = {kind: {name: [] for name in VARIANTS} for kind in kinds}

    def wakes(self, count: int) -> list[float]:
        """Return the milliseconds from each 200 to the first line of ingest, on an idle system."""
        result = self.load("always", "idle", count, 20.0, connections=1).result
        self.ledgers["always"].ingest()
        return self.ledgers["always"].waits_ms(result.answered_at)

    def ingest(self) -> int:
        """Let real workers ingest; return how many accepted callbacks were not ingested."""
        for name, ledger in self.ledgers.items():
            log = self.directory / f"worker-{name}.log"
            with celery(self.guard, WORKER, self.environs[name], log):
                ledger.ingest()
                if name == "always":
                    self.waits = self.wakes(200)
        return sum(ledger.accepted - ledger.ingested for ledger in self.ledgers.values())


def print_round(label: str, peak: Measured, half: Measured, low: Measured) -> None:
    print(  # noqa: T201
        f"{label} {peak.result.per_second:7,.0f}/s {peak.cpu_us:6,.0f} us"
        f"   half load {half.cpu_us:6,.0f} us  p99 {half.result.p99_ms:6.1f} ms"
        f"   {LOW_RATE:.0f}/s {low.cpu_us:6,.0f} us  p99 {low.result.p99_ms:6.1f} ms",
        flush=True,
    )


def ratio(ours: Sequence[float], others: Sequence[float]) -> float:
    """Return the median of the rounds' ratios: the machine's speed drifts between rounds."""
    return median(first / second for first, second in zip(ours, others, strict=True))


def figures_of(bench: Bench, left: int) -> dict[str, float]:
    """Return all figures by name; `ours` without a suffix is the slower appendfsync always."""
    figures: dict[str, float] = {}
    rates = {name: [m.result.per_second for m in bench.measured["peak"][name]] for name in VARIANTS}
    for name in VARIANTS:
        label = f"ours_{name}" if name in OURS else name
        figures[f"{label}_per_second"] = median(rates[name])
        for kind, by_name in bench.measured.items():
            figures[f"{label}_p50_ms_at_{kind}"] = median(m.result.p50_ms for m in by_name[name])
            figures[f"{label}_p99_ms_at_{kind}"] = median(m.result.p99_ms for m in by_name[name])
    for name in OURS:
        figures[f"ours_{name}_over_naive"] = ratio(rates[name], rates["naive"])
        figures[f"ours_{name}_over_verify_only"] = ratio(rates[name], rates["verify_only"])
    figures["ours_over_naive"] = figures["ours_always_over_naive"]
    figures["ours_over_verify_only"] = figures["ours_always_over_verify_only"]
    figures["p99_ms_at_half_load"] = figures["ours_always_p99_ms_at_half_load"]
    figures.update(cpu_figures(bench, rates))
    figures["accepted"] = float(sum(ledger.accepted for ledger in bench.ledgers.values()))
    figures["accepted_minus_ingested"] = float(left)
    waits = sorted(bench.waits)
    figures["wake_p50_ms_idle"] = waits[len(waits) // 2]
    figures["wake_p99_ms_idle"] = waits[int(len(waits) * 0.99)]
    return {f"receiver.{name}": round(value, 3) for name, value in figures.items()}


def cpu_figures(bench: Bench, rates: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return the figures of processor time, in microseconds for each callback, and their ratios."""
    used = {
        kind: {name: [m.cpu_us for m in by_name[name]] for name in VARIANTS}
        for kind, by_name in bench.measured.items()
    }
    peak, begin = used["peak"], "cpu_us_per_callback"
    figures = {
        f"{begin}.{f'ours_{name}' if name in OURS else name}_at_{kind}": median(values)
        for kind, by_name in used.items()
        for name, values in by_name.items()
    }
    for label, name in (("ours", "always"), ("verify_only", "verify_only"), ("naive", "naive")):
        figures[f"{begin}.{label}"] = median(peak[name])
    figures[f"{begin}.ours_over_verify_only"] = ratio(peak["always"], peak["verify_only"])
    figures[f"{begin}.ours_over_naive"] = ratio(peak["always"], peak["naive"])
    figures[f"{begin}.ours_at_400_over_peak"] = ratio(used["low_load"]["always"], peak["always"])
    # Two receivers, Redis and the load need a core each; with fewer, the work that two processes do
    # in the time of two cores tells it.
    enough = (os.cpu_count() or 1) >= CORES
    figures["two_processes_over_one"] = (
        ratio(rates["two"], rates["always"]) if enough else 2 * ratio(peak["always"], peak["two"])
    )
    return figures


def write(path: Path, figures: Mapping[str, float]) -> None:
    """Write the figures into the file; those of other benchmarks stay."""
    before = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**before, **figures}, indent=2, sort_keys=True) + "\n")


def missed(figures: Mapping[str, float]) -> list[str]:
    """Print each bar; return the names of those that were not reached."""
    names = []
    for name, (sign, bar) in BARS.items():
        value = figures[f"receiver.{name}"]
        if name == "p99_ms_at_half_load" and figures[f"receiver.verify_only_{name}"] > QUIET_MS:
            print(f"unknown  {name} {value:g}: the machine was too busy for this bar")  # noqa: T201
            continue
        reached = value >= bar if sign == ">=" else value <= bar
        print(f"{'reached' if reached else 'MISSED '}  {name} {value:g} (bar {sign} {bar:g})")  # noqa: T201
        names += [] if reached else [name]
    return names


def main() -> int:
    """Run the benchmark. Return 0 if all bars were reached, 1 if not, 2 if the run failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.receiver")
    parser.add_argument("--quick", action="store_true", help="only one small round")
    parser.add_argument("--output", type=Path, default=Path("bench.json"))
    options = parser.parse_args()
    rounds, count = (1, 1_000) if options.quick else (4, 3_000)
    with tempfile.TemporaryDirectory(prefix="falhook-bench-") as name, ExitStack() as stack:
        try:
            bench = Bench(Path(name), stack)
            bench.round(0, 400)  # warm
            bench.forget()
            for number in range(1, rounds + 1):
                bench.round(number, count)
            figures = figures_of(bench, bench.ingest())
        except BenchFailed as failure:
            print(failure, file=sys.stderr)  # noqa: T201
            return 2
    print(json.dumps(figures, indent=2, sort_keys=True))  # noqa: T201
    write(options.output, figures)
    return 1 if missed(figures) else 0


if __name__ == "__main__":
    sys.exit(main())
