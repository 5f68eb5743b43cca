"""The HTTP API: `python -m tests.bench.api [--jobs 1000000] [--seconds 10]`.

One API process on a durable Redis. Measured are the answers to creates and to repeated keys at 200
a second, to a thousand requests of one key at once, and to a page of the list with a thousand jobs
and with many. Prints the figures and writes them into bench.json under `api.*`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from statistics import quantiles

import psutil
from redis import Redis

from tests.bench.api_load import Answers, Plan, Sent
from tests.bench.console_jobs import add_published
from tests.bench.figures import Bars, report
from tests.bench.preload import preload, template
from tests.bench.programs import redis_with
from tests.factories.apis import RunningApi, api, api_environment, request
from worker.jobs.store import JobStore, connect

BARS = Bars(
    most={
        "api.create_p99_ms": 30.0,
        "api.replay_p99_ms": 10.0,
        "api.list_p99_ratio": 1.3,
        "api.crowd_conflicts": 0.0,
    },
    least={"api.create_rate": 195.0, "api.crowd_replayed": 999.0},
)
RATE = 200.0
CROWD = 1_000
_FEW = 1_000
_PAGES = 50
_TURNS = 8


def main() -> int:
    """Run the benchmark. Return 0 if all bars were reached, 1 if not."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.api")
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="falhook-api-") as scratch:
        figures = dict(_creates(Path(scratch) / "creates", options.seconds))
        figures |= _lists(Path(scratch) / "lists", options.jobs)
    return report("api.", figures, BARS)


@contextmanager
def _running(directory: Path) -> Iterator[tuple[RunningApi, str]]:
    with redis_with(directory, "always") as redis:
        environ = api_environment(redis.url, directory) | {
            "FALHOOK_LOG_LEVEL": "INFO",
            "FALHOOK_API_CREATE_RATE": "100000",
            "FALHOOK_API_READ_RATE": "100000",
        }
        with api(environ) as running:
            yield running, redis.url


def _creates(directory: Path, seconds: int) -> Iterator[tuple[str, float]]:
    count = int(RATE * seconds)
    with _running(directory) as (running, _):
        token = running.token()
        _load(running, token, [_create(f"warm-{number}") for number in range(200)], RATE)
        keys = [_create(f"key-{number}") for number in range(count)]
        process = psutil.Process(running.server.process.pid)
        for name, status in (("create", 201), ("replay", 200)):
            busy, began = sum(process.cpu_times()[:2]), time.monotonic()
            answers = _load(running, token, keys, RATE)
            took = time.monotonic() - began
            assert [status] * count == answers.statuses
            yield f"api.{name}_rate", count / (took - 0.5)
            yield from _percentiles(f"api.{name}", answers.milliseconds).items()
            busy = sum(process.cpu_times()[:2]) - busy
            yield f"api.{name}_cpu_ms", 1000 * busy / count
        crowd = _load(running, token, [_create("crowd")] * CROWD, 0.0, connections=CROWD)
        yield "api.crowd_created", crowd.statuses.count(201)
        yield "api.crowd_replayed", crowd.statuses.count(200)
        yield "api.crowd_conflicts", CROWD - crowd.statuses.count(201) - crowd.statuses.count(200)


def _lists(directory: Path, many: int) -> Mapping[str, float]:
    """Return how long pages take with few and with many jobs, asked for in turns."""
    with ExitStack() as opened:
        lists = {
            name: opened.enter_context(_filled(directory / name, count))
            for name, count in (("few", _FEW), ("many", many))
        }
        took: dict[str, list[float]] = {name: [] for name in lists}
        for _ in range(_TURNS):
            for name, (running, token) in lists.items():
                took[name] += _pages(running, token)
    figures = dict(
        figure
        for name, milliseconds in took.items()
        for figure in _percentiles(f"api.list_{name}", milliseconds).items()
    )
    figures["api.list_p99_ratio"] = figures["api.list_many_p99_ms"] / figures["api.list_few_p99_ms"]
    return figures


@contextmanager
def _filled(directory: Path, count: int) -> Iterator[tuple[RunningApi, str]]:
    """Run an API with so many published jobs; yield it and a key."""
    directory.mkdir(parents=True)
    with _running(directory) as (running, url), Redis.from_url(url) as raw:
        with connect(url) as redis:
            add_published(JobStore(redis))
        preload(raw, template(raw), count, now=time.time())
        token = running.token()
        _pages(running, token)
        yield running, token


def _pages(running: RunningApi, token: str) -> Sequence[float]:
    """Return the milliseconds of each page of a list."""
    pages = [Sent(method="GET", path="/v1/jobs")] * _PAGES
    answers = _load(running, token, pages, 0.0, connections=1)
    assert [200] * _PAGES == answers.statuses
    # All were due at once: each took the time since the answer before it.
    return [after - before for before, after in pairwise(answers.milliseconds)]


def _create(key: str) -> Sent:
    return Sent(method="POST", path="/v1/jobs", key=key, body=json.dumps(request()))


def _load(
    running: RunningApi, token: str, requests: Iterable[Sent], rate: float, *, connections: int = 64
) -> Answers:
    plan = Plan(
        port=running.server.port,
        token=token,
        requests=list(requests),
        rate=rate,
        connections=connections,
    )
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.api_load"],
        input=json.dumps(asdict(plan)),
        capture_output=True,
        text=True,
        check=True,
    )
    return Answers(**json.loads(done.stdout))


def _percentiles(name: str, milliseconds: Sequence[float]) -> Mapping[str, float]:
    steps = quantiles(milliseconds, n=100)
    return {f"{name}_p50_ms": steps[49], f"{name}_p99_ms": steps[98]}


if __name__ == "__main__":
    sys.exit(main())
