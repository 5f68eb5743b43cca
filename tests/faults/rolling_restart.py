"""A deploy under load: every process ends by SIGTERM, one after the other, while jobs run.

`python -m tests.faults.rolling_restart --jobs 2000`. Jobs are created over HTTP as a client should:
after 503 and after a connection that is refused or cut, the same request with the same key goes
again. Ends with 0 if no other creation failed, each job was posted once, and all are published.
"""

import argparse
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from infra.local.supervisor.procfile import load_procfile
from tests import ROOT
from tests.factories.small_images import ENDPOINT, prompt, small_images
from tests.faults.start import system
from tests.faults.system import StormSystem
from tests.faults.waiting import pause, until
from tests.soak.verdict import Verdict, judge
from worker.jobs.job import FINAL, JobState
from worker.jobs.listing import count

FAL = ("--speed", "20", "--render-seconds", "10", "--concurrency", "400")
CLIENTS = 4
# Seconds in which a process ends and its successor runs, and those without a job that ends.
PATIENCE = 300.0
_AGAIN = 0.2  # seconds before a request goes again


@dataclass(slots=True, kw_only=True)
class Creation:
    """Clients that create jobs: what they were told, and why a request went again."""

    url: str
    headers: Mapping[str, str]
    answers: Counter[int] = field(default_factory=Counter)
    repeated: Counter[str] = field(default_factory=Counter)
    ended: threading.Event = field(default_factory=threading.Event)

    def create(self, number: int) -> None:
        """Create one job; repeat the request while it may be repeated."""
        body = {"endpoint": ENDPOINT, "arguments": {"prompt": prompt(f"rolling-{number}")}}
        headers = {**self.headers, "Idempotency-Key": f"rolling-{number}"}
        while not self.ended.is_set():
            try:
                answer = httpx.post(f"{self.url}/v1/jobs", json=body, headers=headers, timeout=60)
            except httpx.TransportError as error:  # the API is between two runs
                self.repeated[type(error).__name__] += 1
            else:
                if answer.status_code not in {429, 503}:
                    self.answers[answer.status_code] += 1
                    return
                self.repeated[str(answer.status_code)] += 1
            pause(_AGAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """`restarted` counts the SIGTERMs that were followed by a new process, by name."""

    verdict: Verdict
    creation: Creation
    restarted: Counter[str]
    seconds: float

    def faults(self) -> Mapping[str, int]:
        """Return what must be 0, by name."""
        jobs, states = self.verdict.jobs, self.verdict.states
        created = self.creation.answers[201] + self.creation.answers[200]
        return {
            "failed creations": self.creation.answers.total() - created,
            "jobs not created": jobs - created,
            "jobs not published": jobs - states[JobState.PUBLISHED],
            "jobs posted twice": sum(posts > 1 for posts in self.verdict.posts.values()),
            "processes not restarted": sum(
                name not in self.restarted for name in load_procfile(ROOT / "Procfile")
            ),
        }


def run(jobs: int, directory: Path) -> Report:
    """Create the jobs while all processes are restarted, again and again until all are created.

    Raise ProcessRefused or SimulationEnded as soon as the stack has ended.
    """
    images = ("--media-cache", str(small_images(directory / "images")))
    environ = {"FALHOOK_LOG_LEVEL": "WARNING", "FALHOOK_API_CREATE_RATE": "10000"}
    began = time.monotonic()
    with system(
        directory, environ=environ, fal_options=(*FAL, *images), deadline=PATIENCE
    ) as running:
        settings = running.stack.settings
        creation = Creation(
            url=settings["FALHOOK_API_URL"],
            headers={"Authorization": f"Bearer {settings['FALHOOK_API_KEY']}"},
        )
        restarted: Counter[str] = Counter()
        with _creating(creation, jobs) as busy:
            while busy() or not restarted:
                for name in load_procfile(ROOT / "Procfile"):
                    _restart(running, name)
                    restarted[name] += 1
        _settle(running, jobs)
        return Report(
            verdict=judge(running, jobs),
            creation=creation,
            restarted=restarted,
            seconds=time.monotonic() - began,
        )


@contextmanager
def _creating(creation: Creation, jobs: int) -> Iterator[Callable[[], bool]]:
    """Create the jobs during the block; at its end wait until all are created."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        try:
            waiting = [pool.submit(creation.create, number) for number in range(jobs)]
            yield lambda: not all(each.done() for each in waiting)
            for each in waiting:
                each.result()
        finally:
            creation.ended.set()


def _restart(running: StormSystem, name: str) -> None:
    """End one process by SIGTERM; return once its successor runs, and answers if it serves."""
    supervisor = running.stack.supervisor
    before = supervisor.restarts(name)
    assert running.kill(name, signal.SIGTERM), f"{name} does not run"
    supervisor.wait_running(name, restarts=before + 1, timeout=PATIENCE)
    address = {"web": "FALHOOK_PUBLIC_URL", "api": "FALHOOK_API_URL"}.get(name)
    if address:
        url = f"{running.stack.settings[address]}/readyz"
        until(lambda: _is_ready(url), f"{name} is ready", PATIENCE)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).is_success
    except httpx.TransportError:
        return False


def _settle(running: StormSystem, jobs: int) -> None:
    """Wait until all jobs have ended, or none has for PATIENCE seconds."""
    ended, moved = 0, time.monotonic()
    while ended < jobs and time.monotonic() - moved < PATIENCE:
        now = sum(count(running.records.redis, FINAL).values())
        moved = time.monotonic() if now > ended else moved
        ended = now
        pause(0.2)


def main() -> int:
    """Run it once and print the outcome. Return 0 if it ended well, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.rolling_restart")
    parser.add_argument("--jobs", type=int, default=2_000)
    parser.add_argument("--directory", type=Path, help="for logs and data; a new one by default")
    options = parser.parse_args()
    directory = options.directory or Path(tempfile.mkdtemp(prefix="falhook-rolling-"))
    report = run(options.jobs, directory)
    states = {str(state): number for state, number in report.verdict.states.items() if number}
    sys.stdout.write(
        f"{options.jobs:,} jobs in {report.seconds:.0f} s: {states}\n"
        f"restarted: {dict(report.restarted)}\n"
        f"creations: {dict(report.creation.answers)}, sent again after "
        f"{dict(report.creation.repeated)}\nfaults: {dict(report.faults())}\n"
    )
    return int(any(report.faults().values()))


if __name__ == "__main__":
    sys.exit(main())
