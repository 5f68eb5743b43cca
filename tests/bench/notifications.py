"""Webhooks out: `python -m tests.bench.notifications`.

A real notifier tells real receivers on this machine, which answer after 50 ms.

notifications.deliveries_per_second   of one process, to four receivers
notifications.first_attempt_p99_s     from the change of a state to its first attempt, under a light
                                      load, by the worker of the Procfile, woken by messages
notifications.isolation_ratio         the p99 of that for eight healthy receivers beside one that
                                      never answers and one that drips, over that without the two:
                                      the best of rounds that take turns, since a busy machine can
                                      only add to either
notifications.commands_per_delivery   of Redis, those within scripts among them
notifications.bytes_per_delivery      in Redis, of what is owed and has not been tried
"""

import shlex
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from statistics import quantiles

from redis import Redis

from infra.local.redis.server import RedisServer
from infra.local.supervisor.process_guard import ProcessGuard
from infra.local.supervisor.procfile import load_procfile
from tests import ROOT
from tests.bench.figures import Bars, report
from tests.factories.notifications import Told, told
from tests.factories.worker_process import worker_environment
from tests.factories.world import SECRET
from webhook.settings.settings import Connections
from webhook.shards import all_keys
from worker.broker.client import client, waker
from worker.jobs.job import JobState
from worker.jobs.store import OWED

BARS = Bars(
    least={"notifications.deliveries_per_second": 300},
    most={
        "notifications.first_attempt_p99_s": 1.0,
        "notifications.isolation_ratio": 1.5,
        "notifications.bytes_per_delivery": 600,
    },
)
ANSWER_AFTER = 0.05
JOBS, RECEIVERS = 600, 4
# The isolation run: healthy receivers, jobs (without the first, which open connections), and jobs
# a second.
HEALTHY, PACED, RATE, ROUNDS = 8, 120, 12.0, 3
FIRST = 6
OWED_AT_REST = 5_000


class Fleet:
    """Receivers in a process of their own, which says when each message came."""

    def __init__(self, guard: ProcessGuard, kinds: Sequence[str]) -> None:
        command = [sys.executable, "-m", "tests.bench.slow_receivers", str(ANSWER_AFTER), *kinds]
        self._process = guard.spawn(command, output=subprocess.PIPE, cwd=ROOT)
        assert self._process.stdout is not None
        self._lines = iter(self._process.stdout)
        self.urls = next(self._lines).decode().split()
        # Job and receiver → Unix time.
        self.came: dict[tuple[str, str], float] = {}
        self._news = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._lines:
            at, receiver, job = line.decode().split()
            with self._news:
                self.came.setdefault((job, receiver), float(at))
                self._news.notify_all()

    def wait_for(self, count: int, receivers: Sequence[str], seconds: float = 240.0) -> None:
        """Return once so many messages came to these receivers."""

        def enough() -> bool:
            return sum(receiver in receivers for _, receiver in self.came) >= count

        with self._news:
            assert self._news.wait_for(enough, seconds), "messages are missing"


@contextmanager
def deployment(directory: Path) -> Iterator[tuple[Told, RedisServer]]:
    """Run a Redis and what creates jobs on it."""
    with RedisServer.start(directory) as server:
        celery = client(Connections.from_env({"REDIS_URL": server.url}))
        with told(server.url, time.time, wake=waker(celery)) as created:
            yield created, server


@contextmanager
def running(guard: ProcessGuard, process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Kill the process at the end of the block; its output is read and forgotten."""
    assert process.stdout is not None
    threading.Thread(target=process.stdout.read, daemon=True).start()
    try:
        yield
    finally:
        process.kill()
        process.wait()
        guard.release(process)


@contextmanager
def notifier(guard: ProcessGuard, url: str) -> Iterator[None]:
    """Run one notifier process that looks for work by itself."""
    command = [sys.executable, "-m", "tests.factories.notifier_process", url]
    process = guard.spawn(command, output=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    process.stdout.readline()
    with running(guard, process):
        yield


@contextmanager
def celery_worker(guard: ProcessGuard, url: str) -> Iterator[None]:
    """Run the worker of the Procfile that tells receivers, which has nothing but messages."""
    command = shlex.split(load_procfile(ROOT / "Procfile")["notify"])
    with tempfile.TemporaryDirectory(prefix="falhook-notify-") as scratch:
        environ = {
            **worker_environment(url, Path(scratch)),
            "FALHOOK_SECRET": SECRET,
            "FALHOOK_NOTIFY_LOOPBACK": "1",
        }
        program = [sys.executable, "-m", *command]
        process = guard.spawn(program, output=subprocess.PIPE, cwd=ROOT, environ=environ)
        assert process.stdout is not None
        while b"worker.started" not in process.stdout.readline():
            assert process.poll() is None, "the worker does not start"
        with running(guard, process):
            yield


def throughput(guard: ProcessGuard, directory: Path) -> tuple[float, float]:
    """Return the deliveries a second of one process with everything owed beforehand.

    And the commands of Redis for each.
    """
    with deployment(directory) as (system, server):
        fleet = Fleet(guard, ["healthy"] * RECEIVERS)
        for url in fleet.urls:
            system.add(url)
        for number in range(JOBS):
            system.fail(f"job{number}")
        before = commands(system.redis)
        with notifier(guard, server.url):
            fleet.wait_for(JOBS * RECEIVERS, fleet.urls)
        each = (commands(system.redis) - before) / (JOBS * RECEIVERS)
    times = sorted(fleet.came.values())
    # Without the start, in which connections are made, and the end, in which lanes run dry.
    first, last = len(times) // 10, len(times) * 9 // 10
    return (last - first) / (times[last] - times[first]), each


def commands(redis: Redis) -> int:
    """Return how many commands this Redis has run."""
    found: dict[str, int] = redis.info("stats")
    return found["total_commands_processed"]


def delays(guard: ProcessGuard, directory: Path, bad: Sequence[str]) -> list[float]:
    """Return the delays from a job's end to each healthy receiver, beside the `bad` ones."""
    with deployment(directory) as (system, server):
        fleet = Fleet(guard, [*["healthy"] * HEALTHY, *bad])
        healthy = fleet.urls[:HEALTHY]
        for url in fleet.urls:
            system.add(url)
        ended: dict[str, float] = {}
        jobs = [f"job{number}" for number in range(FIRST + PACED)]
        with celery_worker(guard, server.url):
            for job in jobs:
                system.create(job)
                ended[job] = time.time()
                system.move(job, JobState.FAILED)
                time.sleep(1 / RATE)
            fleet.wait_for(len(jobs) * HEALTHY, healthy)
    return [fleet.came[job, url] - ended[job] for job in jobs[FIRST:] for url in healthy]


def isolation(guard: ProcessGuard, directory: Path) -> tuple[float, float]:
    """Return the least p99 of the delays, without and beside the two bad receivers."""
    found: tuple[list[float], list[float]] = ([], [])
    for number in range(ROUNDS):
        for p99s, bad in zip(found, ([], ["hole", "drip"]), strict=True):
            scratch = directory / f"{number}-{len(bad)}"
            p99s.append(quantiles(delays(guard, scratch, bad), n=100)[-1])
    return min(found[0]), min(found[1])


def bytes_per_delivery(directory: Path) -> float:
    """Return the bytes of an owed delivery: in the outbox, and then in the lane."""
    with deployment(directory) as (system, server), Redis.from_url(server.url) as raw:
        endpoint, _ = system.add("http://localhost:1/")
        for number in range(OWED_AT_REST):
            system.fail(f"order-{number:012d}")
        system.notifier.fan_out.run(range(64))
        while any(raw.zcard(key) for key in all_keys(OWED)):
            system.notifier.fan_out.run(range(64))
        key = f"falhook:{{ep:{endpoint.id}}}:lane"
        assert OWED_AT_REST == raw.zcard(key)
        return float(str(raw.memory_usage(key, samples=0))) / OWED_AT_REST


def main() -> int:
    """Run the benchmark. Return 0 if all bars were reached, 1 if not."""
    guard = ProcessGuard()
    with (
        tempfile.TemporaryDirectory(prefix="falhook-notify-") as scratch,
        ExitStack() as ends,
    ):
        ends.callback(guard.close)
        here = Path(scratch)
        rate, commands_each = throughput(guard, here / "rate")
        alone, beside = isolation(guard, here / "isolation")
        figures = {
            "notifications.deliveries_per_second": rate,
            "notifications.commands_per_delivery": commands_each,
            "notifications.first_attempt_p99_s": alone,
            "notifications.beside_p99_s": beside,
            "notifications.isolation_ratio": beside / alone,
            "notifications.bytes_per_delivery": bytes_per_delivery(here / "bytes"),
        }
    return report("notifications.", figures, BARS)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt, socket.error):
        sys.exit(main())
