"""One run: messages that create jobs, kills, and the count at the end.

Each job is created by a message of `falhook.create`, as other programs send it, and fal answers it
with an image of 1 KB. At most OPEN jobs are open at a time.
"""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from redis.exceptions import RedisError

from infra.local.redis.supervised import keep_running
from infra.local.supervisor.procfile import load_procfile
from tests import ROOT
from tests.factories.small_images import small_images
from tests.faults.start import system
from tests.faults.system import StormSystem
from tests.faults.waiting import pause
from tests.soak.creation import Creation
from tests.soak.verdict import Verdict, judge
from webhook.settings.settings import Connections
from worker.broker.client import client
from worker.jobs.job import FINAL
from worker.jobs.listing import count

OPEN = 400
# Seconds of fal's time pass SPEED times faster: a refused callback comes again sooner.
FAL = ("--speed", "20", "--render-seconds", "10", "--concurrency", str(OPEN))
# Seconds after which a job whose POST never reached fal ends as EXPIRED.
DEADLINE = 120.0
# Seconds without a job that ends.
PATIENCE = DEADLINE + 120.0
REDIS = "redis"
_PAUSE = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakPlan:
    """How many jobs, and the seconds from one kill to the next; 0: none."""

    jobs: int
    kills: float
    seed: int


@dataclass(slots=True, kw_only=True)
class Progress:
    """What a run has done so far; `seconds` since its first job."""

    sent: int = 0
    sent_again: int = 0
    ended: int = 0
    seconds: float = 0.0
    killed: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The outcome of a run; `fal_bytes` is the memory that the simulated fal took at its end."""

    progress: Progress
    verdict: Verdict
    fal_bytes: int


def run(plan: SoakPlan, directory: Path, show: Callable[[Progress], object]) -> Report:
    """Run the plan in `directory`; `show` gets the progress several times a second.

    Raise ProcessRefused or SimulationEnded as soon as the stack has ended.
    """
    images = ("--media-cache", str(small_images(directory / "images")))
    environ = {"FALHOOK_LOG_LEVEL": "WARNING"}
    with (
        system(
            directory, environ=environ, fal_options=(*FAL, *images), deadline=DEADLINE
        ) as running,
        keep_running(running.redis, lambda _name, _line: None),
        _creation(running) as creation,
    ):
        progress = _through(running, plan, creation, show)
        fal_bytes = psutil.Process(running.stack.fal.process.pid).memory_info().rss
        return Report(progress=progress, verdict=judge(running, plan.jobs), fal_bytes=fal_bytes)


@contextmanager
def _creation(running: StormSystem) -> Iterator[Creation]:
    urls = {"REDIS_URL": running.redis.url, "FALHOOK_BROKER_URL": running.broker.url}
    with client(Connections.from_env(urls)) as app:
        yield Creation(app=app, redis=running.records.redis)


def _through(
    running: StormSystem,
    plan: SoakPlan,
    creation: Creation,
    show: Callable[[Progress], object],
) -> Progress:
    rng = random.Random(plan.seed)
    progress = Progress()
    began = moved = killed = time.monotonic()
    while progress.ended < plan.jobs and time.monotonic() - moved < PATIENCE:
        for number in range(progress.sent, min(plan.jobs, progress.ended + OPEN)):
            creation.send(f"soak-{number}")
            progress.sent += 1
        with suppress(RedisError):  # killed by us; counted at the next turn
            ended = sum(count(running.records.redis, FINAL).values())
            moved = time.monotonic() if ended > progress.ended else moved
            progress.ended = ended
            creation.send_lost()
            progress.sent_again = creation.sent_again
        if plan.kills and time.monotonic() - killed >= plan.kills and progress.ended < plan.jobs:
            killed = time.monotonic()
            progress.killed.update(_kill(running, rng))
        progress.seconds = time.monotonic() - began
        show(progress)
        pause(_PAUSE)
    return progress


def _kill(running: StormSystem, rng: random.Random) -> list[str]:
    """SIGKILL one process; return its name, or nothing if it is between two runs."""
    name = rng.choice([*load_procfile(ROOT / "Procfile"), REDIS])
    if name != REDIS:
        return [name] if running.kill(name) else []
    with suppress(ProcessLookupError):
        os.kill(running.redis.pid, signal.SIGKILL)
    return [name]
