"""What traces take from the tasks of jobs: `python -m tests.bench.traces [--jobs 100]`.

Jobs go all their way through the steps of one process on a real Redis: without a collector, with
one that answers, with a port that refuses, and with one that never answers, in turn. The steps do
nothing else, so that every millisecond shows. The figures are milliseconds for each job, the least
of the rounds: of the processor, of which the thread of the tasks is a part, and until the last job
ended. Prints them and writes them into bench.json under `traces.*`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from redis import Redis

from infra.local.redis.server import RedisServer
from tests import ROOT
from tests.bench.figures import Bars, report
from tests.factories.trace_collector import deaf
from tests.factories.world import ScriptedFal, World, callback, request, world_on
from webhook import log as logs
from webhook.contract import Task
from worker.jobs.job import JobState
from worker.traces.context import begun
from worker.traces.tracer import open_tracer

ROUNDS = 7
COLLECTORS = ("answers", "refuses", "hangs")
# To hand a job over takes the tasks' own thread microseconds; the rest of it is noise.
BARS = Bars(most={f"traces.{name}_thread_over_none": 1.15 for name in COLLECTORS})
_COLLECTOR = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
server = HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


@contextmanager
def answering() -> Iterator[str]:
    """Run a collector in a process of its own; yield its address."""
    command = [sys.executable, "-c", _COLLECTOR]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1/traces"
        finally:
            process.terminate()


def one_round(redis_url: str, url: str, jobs: int) -> Mapping[str, float]:
    """Take jobs all their way in a process of their own; return the milliseconds of each."""
    with Redis.from_url(redis_url) as client:
        client.flushall()
    program = f"from tests.bench.traces import child; child({redis_url!r}, {url!r}, {jobs})"
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT
    )
    figures: Mapping[str, float] = json.loads(done.stdout)
    return figures


def child(redis_url: str, url: str, jobs: int) -> None:
    """Do a round, and print its figures."""
    logs.configure(level="CRITICAL", form="json")
    with world_on(redis_url, ScriptedFal().fal) as world:
        _publish(world, 1)
        sys.stdout.write(json.dumps(measured(world, url, jobs)))


def measured(world: World, url: str, jobs: int) -> Mapping[str, float]:
    """Return the milliseconds of each of these jobs, traced to this address."""
    tracer = open_tracer(url, world.store.get)
    world.ended = tracer.ended if tracer else lambda _job, _state: None
    wall, own, whole = time.perf_counter(), time.thread_time(), time.process_time()
    for number in range(2, jobs + 2):
        _publish(world, number)
    ended = time.perf_counter() - wall
    own = time.thread_time() - own
    if tracer:
        tracer.stop()
    whole = time.process_time() - whole
    return {"thread": own / jobs * 1000, "all": whole / jobs * 1000, "wall": ended / jobs * 1000}


def _publish(world: World, number: int) -> None:
    """Take the job all its way that is the process's POST with this number."""
    job_id = f"job{number}"
    world.add(job_id, traceparent=begun(job_id).text)
    world.pipeline.run(Task.SUBMIT, job_id)
    world.deliver(callback(request_id=request(number)), job_id=job_id)
    world.follow_wakes()
    assert world.state(job_id) is JobState.PUBLISHED


def main() -> int:
    """Run the benchmark. Return 0 if all bars were reached, 1 if not."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.traces")
    parser.add_argument("--jobs", type=int, default=100, help="jobs of one round")
    jobs = parser.parse_args().jobs
    least: dict[str, float] = defaultdict(lambda: float("inf"))
    with ExitStack() as running:
        scratch = running.enter_context(tempfile.TemporaryDirectory(prefix="falhook-traces-"))
        redis_url = running.enter_context(RedisServer.start(Path(scratch) / "redis")).url
        urls = {
            "none": "",
            "answers": running.enter_context(answering()),
            "refuses": running.enter_context(deaf(accepts=False)),
            "hangs": running.enter_context(deaf(accepts=True)),
        }
        for _ in range(ROUNDS):
            for name, url in urls.items():
                for what, value in one_round(redis_url, url, jobs).items():
                    least[f"{name}_{what}_ms"] = min(least[f"{name}_{what}_ms"], value)
    figures = {f"traces.{name}": value for name, value in least.items()}
    for name in COLLECTORS:
        ratio = least[f"{name}_thread_ms"] / least["none_thread_ms"]
        figures[f"traces.{name}_thread_over_none"] = ratio
    return report("traces.", figures, BARS)


if __name__ == "__main__":
    sys.exit(main())
