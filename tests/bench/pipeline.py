"""falhook's pipeline against the naive one: `python -m tests.bench.pipeline`.

The rival is what fal's and Celery's documents lead to (tests/bench/naive_pipeline.py). Both take
the same clips of 5 s in 1080p (12 MB) from the same simulated fal, have their messages in the same
Redis and write to the same disk. They work in turn, round by round; the figures are ratios of one
run.

CPU is the processor time of all processes for each job, with ffmpeg. The latency is that from the
release of a held callback to the publication, one job at a time. Prints the figures and writes them
into bench.json under `pipeline.*`.
"""

import json
import os
import ssl
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from infra.local.logfile import Logfile
from infra.local.stack import Stack, stack
from tests.bench.capacity import PROMPT, large_clips
from tests.bench.figures import Bars, report
from tests.bench.pipelines import Pipeline, pipelines
from tests.bench.programs import processor_seconds

BARS = Bars(
    most={
        "pipeline.cpu_ours_over_naive": 1.25,
        "pipeline.latency_p50_ours_over_naive": 1.25,
        "pipeline.latency_p99_ours_over_naive": 1.25,
    },
    least={"pipeline.jobs_ours_over_naive": 0.9},
)
ROUNDS, JOBS, LONE_JOBS = 4, 20, 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One round of one pipeline; the processor time is seconds for each job."""

    processor: float
    jobs_per_second: float


def main() -> int:
    """Run the benchmark. Return 0 if all bars were reached, 1 if not."""
    with (
        tempfile.TemporaryDirectory(prefix="falhook-pipeline-") as scratch,
        _stack(Path(scratch)) as running,
        pipelines(running) as both,
    ):
        for pipeline in both:
            batch(pipeline, "warm", 4)
        rounds = [_round(both, number) for number in range(ROUNDS)]
        ours, naive = zip(*(_lone(running, both, n) for n in range(LONE_JOBS)), strict=True)
    return report("pipeline.", {**batches(rounds), **latencies(ours, naive)}, BARS)


@contextmanager
def _stack(here: Path) -> Iterator[Stack]:
    clips = large_clips(here / "clips")
    environ = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    options = ("--render-seconds", "0.5", "--media-cache", str(clips))
    with (
        Logfile(here / "stack.log") as log,
        stack(here / "run", log.write, environ=environ, fal_options=options) as running,
    ):
        yield running


def batch(pipeline: Pipeline, name: str, jobs: int) -> Measured:
    """Take some jobs through a pipeline, all at once."""
    ids = [f"{name}-{number}" for number in range(jobs)]
    before, began = processor_seconds(pipeline.pids()), time.time()
    for job_id in ids:
        pipeline.send(job_id, PROMPT)
    seconds = pipeline.wait(*ids) - began
    spent = processor_seconds(pipeline.pids()) - before
    return Measured(processor=spent / jobs, jobs_per_second=jobs / seconds)


def _round(both: tuple[Pipeline, Pipeline], number: int) -> tuple[Measured, Measured]:
    """Return what was measured of ours and of the rival; each is first in every second round."""
    order = both if number % 2 else both[::-1]
    first, second = (batch(pipeline, f"round{number}", JOBS) for pipeline in order)
    return (first, second) if number % 2 else (second, first)


def batches(rounds: list[tuple[Measured, Measured]]) -> Mapping[str, float]:
    """Return the figures of the rounds: medians, and medians of the rounds' ratios."""
    return {
        "pipeline.cpu_s_per_job": median(ours.processor for ours, _ in rounds),
        "pipeline.naive_cpu_s_per_job": median(naive.processor for _, naive in rounds),
        "pipeline.cpu_ours_over_naive": median(
            ours.processor / naive.processor for ours, naive in rounds
        ),
        "pipeline.jobs_per_second": median(ours.jobs_per_second for ours, _ in rounds),
        "pipeline.naive_jobs_per_second": median(naive.jobs_per_second for _, naive in rounds),
        "pipeline.jobs_ours_over_naive": median(
            ours.jobs_per_second / naive.jobs_per_second for ours, naive in rounds
        ),
    }


def _lone(running: Stack, both: tuple[Pipeline, Pipeline], number: int) -> tuple[float, float]:
    """Return the seconds from callback to publication of a job of each, on an idle system."""
    ours, naive = (_latency(running, pipeline, f"lone-{number}") for pipeline in both)
    return ours, naive


def _latency(running: Stack, pipeline: Pipeline, job_id: str) -> float:
    """Hold the callback of a job until everything is idle, and time what follows its release."""
    pipeline.send(job_id, f"{PROMPT} [[sim: callback-hold]]")
    request_id = _held(running)
    time.sleep(0.2)  # until the answer to the submit is written down
    released = time.time()
    _control(running, "POST", f"/_sim/release/{request_id}")
    return pipeline.wait(job_id) - released


def _held(running: Stack) -> str:
    """Wait until a callback is held, and return the id of its request."""
    while True:
        requests = _control(running, "GET", "/_sim/requests")
        assert isinstance(requests, list)
        for request in reversed(requests):
            if request["state"] == "IN_PROGRESS":
                held = f"event=callback_held&request_id={request['request_id']}"
                _control(running, "GET", f"/_sim/wait?{held}")
                return str(request["request_id"])
        time.sleep(0.05)


def _control(running: Stack, method: str, path: str) -> object:
    context = ssl.create_default_context(cafile=running.fal.ca_file)
    request = urllib.request.Request(f"{running.fal.url}{path}", method=method)
    with urllib.request.urlopen(request, context=context, timeout=10) as answer:
        return json.load(answer)


def latencies(ours: tuple[float, ...], naive: tuple[float, ...]) -> Mapping[str, float]:
    """Return the figures of the lone jobs."""
    figures: dict[str, float] = {}
    for name, part in (("p50", 0.5), ("p99", 0.99)):
        one, other = (sorted(times)[int(len(times) * part)] for times in (ours, naive))
        figures |= {
            f"pipeline.latency_{name}_ms": one * 1000,
            f"pipeline.naive_latency_{name}_ms": other * 1000,
            f"pipeline.latency_{name}_ours_over_naive": one / other,
        }
    return figures


if __name__ == "__main__":
    sys.exit(main())
