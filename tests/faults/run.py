"""One run: a load during a storm, then time to settle, then the verdict."""

import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.factories.listed import count_of, jobs_of
from tests.faults.load import Scenario, load, prompt
from tests.faults.start import system
from tests.faults.strikes import Storm
from tests.faults.system import StormSystem
from tests.faults.verdict import Verdict, judge
from tests.faults.waiting import pause
from webhook.contract import INBOX
from webhook.shards import all_keys
from worker.jobs.job import FINAL, JobState

# How many times faster fal's time passes: it retries callbacks and drops results sooner.
SPEED = 20
FAL = ("--speed", str(SPEED), "--render-seconds", "10", "--concurrency", "400")


@dataclass(frozen=True, slots=True, kw_only=True)
class StormPlan:
    """`storm` seconds of strikes, at most `calm` apart, then at most `patience` to settle."""

    seed: int
    jobs: int
    storm: float
    calm: float
    deadline: float
    patience: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The plan of a run and its outcome."""

    plan: StormPlan
    verdict: Verdict
    struck: Counter[str]
    scenarios: Mapping[str, Scenario]
    seconds: float


def run(plan: StormPlan, directory: Path) -> Report:
    """Run the plan in `directory`, which keeps the log of all processes.

    Raise ProcessRefused or SimulationEnded as soon as the stack has ended.
    """
    scenarios = dict(load(plan.seed, plan.jobs))
    began = time.monotonic()
    with system(directory, fal_options=FAL, deadline=plan.deadline) as running:
        rng = random.Random(plan.seed)
        storm = Storm(system=running, rng=rng, calm=plan.calm)
        with storm.raging():
            _submit(running, scenarios, plan.storm)
        _settle(running, plan.jobs, plan.patience)
        verdict = judge(running, scenarios)
    return Report(
        plan=plan,
        verdict=verdict,
        struck=storm.struck,
        scenarios=scenarios,
        seconds=time.monotonic() - began,
    )


def _submit(running: StormSystem, scenarios: Mapping[str, Scenario], seconds: float) -> None:
    """Spread the jobs evenly over the storm's seconds."""
    began = time.monotonic()
    for number, (job_id, scenario) in enumerate(scenarios.items()):
        pause(began + seconds * number / len(scenarios) - time.monotonic())
        running.add(job_id, prompt(job_id, scenario))
    pause(began + seconds - time.monotonic())


def _settle(running: StormSystem, jobs: int, patience: float) -> None:
    """Wait until all jobs have ended and none can change any more, at most `patience` seconds."""
    ended = time.monotonic() + patience
    while time.monotonic() < ended:
        if sum(count_of(running.records, state) for state in FINAL) == jobs and _is_settled(
            running
        ):
            return
        pause(0.5)


def _is_settled(running: StormSystem) -> bool:
    """Return whether no callback is pending and none will come for an expired job."""
    return not any(map(running.raw.zcard, all_keys(INBOX))) and not _revivable(running)


def _revivable(running: StormSystem) -> bool:
    expired = jobs_of(running.records, state=JobState.EXPIRED)
    return any("callback-late" in str(job.arguments) for job in expired)
