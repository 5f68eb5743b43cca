"""One run: a load under a storm, then calm, then the verdict."""

import random
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.faults.load import Wish, load, prompt
from tests.faults.start import system
from tests.faults.strikes import Storm
from tests.faults.system import StormSystem
from tests.faults.verdict import Verdict, judge
from worker.jobs.job import FINAL, JobState

# fal's time passes so many times faster: callbacks are tried again, and results end, sooner.
SPEED = 20
FAL = ("--speed", str(SPEED), "--render-seconds", "10", "--concurrency", "400")


@dataclass(frozen=True, slots=True, kw_only=True)
class StormPlan:
    """What to run: `storm` seconds of strikes, at most `calm` apart, then `patience` to settle."""

    seed: int
    jobs: int
    storm: float
    calm: float
    deadline: float
    patience: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of it."""

    plan: StormPlan
    verdict: Verdict
    struck: Counter[str]
    wishes: Mapping[str, Wish]
    seconds: float


def run(plan: StormPlan, directory: Path) -> Report:
    """Run the plan in `directory`, where the log of all processes stays."""
    wishes = dict(load(plan.seed, plan.jobs))
    began = time.monotonic()
    with system(directory, fal_options=FAL, deadline=plan.deadline) as running:
        rng = random.Random(plan.seed)
        storm = Storm(system=running, rng=rng, calm=plan.calm)
        thread = threading.Thread(target=storm.run, daemon=True)
        thread.start()
        _submit(running, wishes, plan.storm)
        storm.end(thread)
        _settle(running, plan.jobs, plan.patience)
        verdict = judge(running, wishes)
    return Report(
        plan=plan,
        verdict=verdict,
        struck=storm.struck,
        wishes=wishes,
        seconds=time.monotonic() - began,
    )


def _submit(running: StormSystem, wishes: Mapping[str, Wish], seconds: float) -> None:
    """Spread the jobs over the storm, which ends with the last of them."""
    pause = threading.Event()
    began = time.monotonic()
    for number, (job_id, wish) in enumerate(wishes.items()):
        pause.wait(began + seconds * number / len(wishes) - time.monotonic())
        running.add(job_id, prompt(job_id, wish))
    pause.wait(began + seconds - time.monotonic())


def _settle(running: StormSystem, jobs: int, patience: float) -> None:
    """Wait until all jobs have ended, for so long that no timer can be left."""
    pause = threading.Event()
    ended = time.monotonic() + patience
    while time.monotonic() < ended:
        if sum(running.records.count(state) for state in FINAL) == jobs and _calm(running):
            return
        pause.wait(0.5)


def _calm(running: StormSystem) -> bool:
    """No callback is pending, and none is to come for an expired job."""
    return running.raw.zcard("falhook:inbox") == 0 and not _revivable(running)


def _revivable(running: StormSystem) -> bool:
    expired = running.records.newest(state=JobState.EXPIRED)
    return any("callback-late" in str(job.arguments) for job in expired)
