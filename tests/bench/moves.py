"""Moves of records by several processes: `python -m tests.bench.moves URL PREFIX JOBS`.

Each job is added and moved from state to state until PUBLISHED, with as many fields as a real one.
Prints the Unix time of the first move and of the last.
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence

from tests import ROOT
from tests.factories.small_images import ENDPOINT, prompt
from worker.jobs.change import RESET, Change
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore, connect

PATH = (
    JobState.SUBMITTING,
    JobState.SUBMITTED,
    JobState.RENDERED,
    JobState.DOWNLOADED,
    JobState.TAGGED,
    JobState.PUBLISHED,
)
MOVES = 1 + len(PATH)


def moves_per_second(url: str, prefix: str, *, processes: int, jobs: int) -> float:
    """Return the moves a second of some processes together, each with its own jobs."""
    command = (sys.executable, "-m", "tests.bench.moves", url)
    running = [
        subprocess.Popen(
            (*command, f"{prefix}-{number}", str(jobs)), stdout=subprocess.PIPE, cwd=ROOT
        )
        for number in range(processes)
    ]
    times = [json.loads(process.communicate()[0]) for process in running]
    began, ended = min(first for first, _ in times), max(last for _, last in times)
    return float(processes * jobs * MOVES / (ended - began))


def move(store: JobStore, job_ids: Sequence[str]) -> None:
    """Take the jobs through all states, one after another."""
    for job_id in job_ids:
        job = Job(id=job_id, endpoint=ENDPOINT, arguments={"prompt": prompt(job_id)})
        assert store.add(job, due=time.time() + 60, event={"name": "created"})
        before = JobState.QUEUED
        for state in PATH:
            due = 0.0 if state is JobState.PUBLISHED else time.time() + 60
            event = {"name": "moved", "step": "falhook.bench"}
            change = Change(to=state, set=dict(RESET), guard={"attempt": 0}, due=due, event=event)
            assert store.change(job_id, [before], change)
            before = state


def main(url: str, prefix: str, jobs: str) -> None:
    with connect(url) as redis:
        began = time.time()
        move(JobStore(redis), [f"{prefix}-{number}" for number in range(int(jobs))])
        sys.stdout.write(json.dumps([began, time.time()]))


if __name__ == "__main__":
    main(*sys.argv[1:])
