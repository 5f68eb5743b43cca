"""The receiver against its rivals: `python -m tests.bench.receiver [--quick] [--output FILE]`.

One interleaved run on distinct, validly signed bodies: (a) bare Starlette, (b) verify only,
(c) falhook with appendfsync everysec and always, (d) FastAPI + PyNaCl + delay(). Afterwards a real
worker ingests every callback that was answered 200. Prints the figures and writes them into a flat
JSON file, under names that begin with `receiver.`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
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
    celery,
    environment,
    redis_with,
    server,
)
from tests.factories.callbacks import host

OURS = ("everysec", "always")
VARIANTS = ("bare", "verify_only", *OURS, "naive")
BARS = {
    "ours_over_naive": (">=", 6.0),
    "ours_over_verify_only": (">=", 0.6),
    "p99_ms_at_half_load": ("<=", 25.0),
    "accepted_minus_ingested": ("<=", 0.0),
    "wake_p99_ms_idle": ("<=", 50.0),
}


class Bench:
    """One run: its servers, the results of each round, and the accepted callbacks."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.stack = stack
        self.directory = directory
        self.guard = ProcessGuard()
        stack.callback(self.guard.close)
        jwks_url = stack.enter_context(host()).url
        self.environs = {}
        for appendfsync in OURS:
            redis = stack.enter_context(redis_with(directory / appendfsync, appendfsync))
            self.environs[appendfsync] = environment(redis.url, jwks_url, directory)
        self.ledgers = {name: Ledger(env["REDIS_URL"]) for name, env in self.environs.items()}
        self.ports = {name: self._serve(name) for name in VARIANTS}
        self.peak: dict[str, list[Result]] = {name: [] for name in VARIANTS}
        self.half: dict[str, list[Result]] = {name: [] for name in VARIANTS}

    def _serve(self, name: str) -> int:
        env = dict(self.environs.get(name, self.environs["everysec"]))
        command = ["webhook"] if name in OURS else ["tests.bench.rivals", name]
        if name == "naive":
            env["PYTHONPATH"] += path_with_fastapi(ROOT / "var" / "bench-fastapi")
            env["BENCH_BROKER"] = env["REDIS_URL"].removesuffix("/0") + "/5"
        log = self.directory / f"{name}.log"
        return self.stack.enter_context(server(self.guard, command, env, log))

    def load(self, name: str, prefix: str, count: int, rate: float = 0.0, **more: int) -> Result:
        """Send callbacks to one variant; for falhook, create the records of their jobs first."""
        plan = LoadPlan(port=self.ports[name], prefix=prefix, count=count, rate=rate, **more)
        ledger = self.ledgers.get(name)
        if ledger is not None:
            ledger.add(plan)
        command = [sys.executable, "-m", "tests.bench.load", json.dumps(asdict(plan))]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        if done.returncode:
            raise BenchFailed(f"the load on {name} failed:\n{done.stderr[-2_000:]}")
        result = Result(**json.loads(done.stdout))
        if ledger is not None:
            ledger.accepted += result.accepted
        elif result.accepted != count:
            raise BenchFailed(f"{name} accepted {result.accepted} of {count}")
        return result

    def round(self, number: int, count: int) -> None:
        """Load every variant once at its peak rate and once at half of it."""
        for name in VARIANTS:
            size = count // 3 if name == "naive" else count
            peak = self.load(name, f"p{number}", size)
            half = self.load(name, f"h{number}", size // 3, peak.per_second / 2)
            self.peak[name].append(peak)
            self.half[name].append(half)
            print_round(f"round {number} {name:<12}", peak, half)

    def forget(self) -> None:
        """Drop what was measured during the warm-up."""
        for results in (*self.peak.values(), *self.half.values()):
            results.clear()

    def wakes(self, count: int) -> list[float]:
        """Return the milliseconds from each 200 to the first line of ingest, on an idle system."""
        result = self.load("always", "idle", count, 20.0, connections=1)
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


def print_round(label: str, peak: Result, half: Result) -> None:
    print(  # noqa: T201
        f"{label} {peak.per_second:9,.0f}/s  p50 {peak.p50_ms:6.1f}  p99 {peak.p99_ms:6.1f} ms"
        f"   at half load p50 {half.p50_ms:6.1f}  p99 {half.p99_ms:6.1f} ms",
        flush=True,
    )


def ratio(bench: Bench, ours: str, other: str) -> float:
    """Return the median of the rounds' ratios: the machine's speed drifts between rounds."""
    pairs = zip(bench.peak[ours], bench.peak[other], strict=True)
    return median(first.per_second / second.per_second for first, second in pairs)


def figures_of(bench: Bench, left: int) -> dict[str, float]:
    """Return all figures by name; `ours` without a suffix is the slower appendfsync always."""
    figures: dict[str, float] = {}
    for name in VARIANTS:
        label = f"ours_{name}" if name in OURS else name
        figures[f"{label}_per_second"] = median(r.per_second for r in bench.peak[name])
        for kind, results in (("peak", bench.peak[name]), ("half_load", bench.half[name])):
            figures[f"{label}_p50_ms_at_{kind}"] = median(r.p50_ms for r in results)
            figures[f"{label}_p99_ms_at_{kind}"] = median(r.p99_ms for r in results)
    for name in OURS:
        figures[f"ours_{name}_over_naive"] = ratio(bench, name, "naive")
        figures[f"ours_{name}_over_verify_only"] = ratio(bench, name, "verify_only")
    figures["ours_over_naive"] = figures["ours_always_over_naive"]
    figures["ours_over_verify_only"] = figures["ours_always_over_verify_only"]
    figures["p99_ms_at_half_load"] = figures["ours_always_p99_ms_at_half_load"]
    figures["accepted"] = float(sum(ledger.accepted for ledger in bench.ledgers.values()))
    figures["accepted_minus_ingested"] = float(left)
    waits = sorted(bench.waits)
    figures["wake_p50_ms_idle"] = waits[len(waits) // 2]
    figures["wake_p99_ms_idle"] = waits[int(len(waits) * 0.99)]
    return {f"receiver.{name}": round(value, 3) for name, value in figures.items()}


def write(path: Path, figures: Mapping[str, float]) -> None:
    """Write the figures into the file; those of other benchmarks stay."""
    before = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**before, **figures}, indent=2, sort_keys=True) + "\n")


def missed(figures: Mapping[str, float]) -> list[str]:
    """Print each bar; return the names of those that were not reached."""
    names = []
    for name, (sign, bar) in BARS.items():
        value = figures[f"receiver.{name}"]
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
