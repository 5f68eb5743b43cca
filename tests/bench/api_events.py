"""Events to many clients at once: `python -m tests.bench.api_events [--listeners 500]`.

One API process serves streams to all listeners while jobs have events at a steady rate. Measured
are the seconds from an event's own time to its arrival, of all events at all listeners, and what
one listener adds to the memory of the process. Prints the figures and writes them into bench.json
under `api_events.*`.
"""

import argparse
import asyncio
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import quantiles

import psutil

from infra.local.supervisor.process_guard import ProcessGuard
from tests import ROOT
from tests.bench.figures import Bars, report
from tests.bench.programs import redis_with
from worker.jobs.change import Change
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore, connect

BARS = Bars(
    most={
        "api_events.arrival_p99_s": 1.0,
        "api_events.listener_kb": 40.0,
        "api_events.lost": 0.0,
    },
    # Slower than asked for, the writer would show nothing.
    least={"api_events.rate": 90.0},
)
RATE = 100
JOBS = 50
_WARM = 20
_AT = re.compile(rb'"at":([0-9.]+)')


class Listener:
    """One client; `arrivals` are the seconds that each event took."""

    def __init__(self) -> None:
        self.arrivals: list[float] = []
        self._writer: asyncio.StreamWriter | None = None

    async def connect(self, port: int) -> asyncio.StreamReader:
        """Open a stream; return once its head has arrived."""
        reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        self._writer.write(b"GET /events?name=measured HTTP/1.1\r\nHost: x\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        await reader.readuntil(b"\nid: ")
        return reader

    async def read(self, reader: asyncio.StreamReader, most: int) -> None:
        """Read that many events, or up to the end of the stream."""
        kept = b""
        while len(self.arrivals) < most and (data := await reader.read(65_536)):
            now = time.time()
            whole, _, kept = (kept + data).rpartition(b"\n\n")
            self.arrivals += [now - float(at) for at in _AT.findall(whole)]

    def close(self) -> None:
        """Close the connection."""
        if self._writer is not None:
            self._writer.close()


def main() -> int:
    """Run the benchmark. Return 0 if all bars were reached, 1 if not."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.api_events")
    parser.add_argument("--listeners", type=int, default=500)
    parser.add_argument("--seconds", type=int, default=20)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="falhook-events-") as scratch,
        redis_with(Path(scratch) / "redis", "everysec") as redis,
    ):
        guard = ProcessGuard()
        server = guard.spawn(
            [sys.executable, "-m", "tests.factories.event_streams", redis.url, "0"],
            output=subprocess.PIPE,
            environ={"PYTHONPATH": str(ROOT)},
        )
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            measured = measure(redis.url, port, server.pid, options.listeners, options.seconds)
            figures = asyncio.run(measured)
        finally:
            server.terminate()
            server.wait(30)
            guard.close()
    return report("api_events.", figures, BARS)


async def measure(url: str, port: int, pid: int, count: int, seconds: int) -> Mapping[str, float]:
    """Return the figures of this many listeners over so many seconds."""
    process = psutil.Process(pid)
    # What the first streams load and allocate is not theirs.
    warm = [Listener() for _ in range(_WARM)]
    for each in warm:
        await each.connect(port)
    empty = process.memory_info().rss
    listeners = [Listener() for _ in range(count)]
    readers = [await each.connect(port) for each in listeners]
    idle = process.memory_info().rss
    most = RATE * seconds
    busy = sum(process.cpu_times()[:2])
    reading = [
        asyncio.create_task(one.read(it, most)) for one, it in zip(listeners, readers, strict=True)
    ]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        writing = asyncio.get_running_loop().run_in_executor(pool, write, url, most)
        # Events that are missing in the end are counted.
        await asyncio.wait(reading, timeout=seconds * 3 + 30)
        took = await writing
    full = process.memory_info().rss
    busy = sum(process.cpu_times()[:2]) - busy
    for each in (*warm, *listeners):
        each.close()
    arrivals = sorted(one for each in listeners for one in each.arrivals)
    steps = quantiles(arrivals, n=100)
    return {
        "api_events.listeners": count,
        "api_events.rate": most / took,
        "api_events.arrival_p50_s": steps[49],
        "api_events.arrival_p99_s": steps[98],
        "api_events.lost": count * most - len(arrivals),
        "api_events.idle_listener_kb": (idle - empty) / count / 1024,
        "api_events.listener_kb": (full - empty) / count / 1024,
        "api_events.processor": busy / took,
    }


def write(url: str, most: int) -> float:
    """Append that many events to jobs, RATE a second; return the seconds that it took."""
    with connect(url) as redis:
        store = JobStore(redis)
        for number in range(JOBS):
            job = Job(id=f"job{number}", endpoint="fal-ai/x", arguments={})
            store.add(job, due=0, event={"name": "created"})
        began = time.monotonic()
        for number in range(most):
            time.sleep(max(0.0, began + number / RATE - time.monotonic()))
            turn = number // JOBS
            # Every other event rings no bell, as progress does not.
            to = (None, JobState.SUBMITTING, None, JobState.QUEUED)[turn % 4]
            change = Change(to=to, event={"name": "measured", "step": "falhook.bench"})
            assert store.change(f"job{number % JOBS}", JobState, change)
        return time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
