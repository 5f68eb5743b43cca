"""A worker that takes jobs through the pipeline and may be killed at any moment."""

import random
from multiprocessing.connection import Connection

from tests.factories.world import ScriptedFal, World, callback, world_on
from webhook.contract import Task
from worker.jobs.job import JobState
from worker.pipeline import STEPS

# Jobs that all workers touch, so that messages come twice and claims are refused.
JOBS = 40
# Made once: it takes as long as several jobs.
FAL = ScriptedFal().fal


def main(url: str, seed: int, steps: Connection) -> None:
    """Work until killed; send something after each job."""
    rng = random.Random(seed)
    with world_on(url, FAL) as world:
        while True:
            _work(world, rng, f"job{rng.randrange(JOBS)}-{seed // 10}")
            steps.send(None)


def _work(world: World, rng: random.Random, job_id: str) -> None:
    """Do what some message about the job asks for, perhaps once more."""
    if world.store.get(job_id) is None:
        _add(world, job_id)
    for task in (Task.SUBMIT, Task.INGEST, *(step.task for step in STEPS[1:])):
        for _ in range(rng.choice((1, 1, 2))):
            if task is Task.INGEST:
                job = world.job(job_id)
                attempt = max(1, job.attempt)
                world.deliver(
                    callback(attempt=attempt, request_id=job.request_id or "r"), job_id=job_id
                )
            else:
                world.pipeline.run(task, job_id)


def _add(world: World, job_id: str) -> None:
    try:
        world.add(job_id, estimate={"usd": 1.4})
    except AssertionError:
        assert world.state(job_id) in JobState, "another worker was faster"
