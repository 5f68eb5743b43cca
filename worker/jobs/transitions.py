"""Moving jobs: one compare-and-set, then the wake of whatever comes next."""

from collections.abc import Callable, Iterable, Mapping

from webhook.contract import Task
from webhook.log import get_logger
from worker.errors import Failure
from worker.jobs.change import RESET, Change, Outcome
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore

# A wake that was lost is found by the sweep after this many seconds.
LOST_WAKE_AFTER = 20.0

log = get_logger()


class Transitions:
    """Moves jobs on their records. `following` names the task that each state calls for."""

    def __init__(
        self,
        records: JobStore,
        following: Mapping[JobState, Task],
        wake: Callable[[Task, str], None],
    ) -> None:
        self.records = records
        self._next = following
        self._wake = wake

    def move(
        self,
        task: Task,
        job: Job,
        outcome: Outcome,
        *,
        expected: Iterable[JobState],
        guard: Mapping[str, object] | None = None,
    ) -> bool:
        """Move the job and wake what comes next; False if it was not where it was expected.

        `guard` is what must stand on the record; by default the attempt that `job` is at.
        """
        change = Change(
            to=outcome.to,
            set={**RESET, **outcome.set},
            guard={"attempt": job.attempt} if guard is None else guard,
            due=self._due(outcome),
            event={"name": "moved", "step": task, **outcome.event},
        )
        moved = self.records.change(job.id, expected, change)
        if moved:
            reason = outcome.event.get("reason")
            log.info("job.moved", job=job.id, step=task, state=outcome.to, reason=reason)
        self.wake_next(job.id)
        return moved

    def fail(self, task: Task, job: Job, failure: Failure, *, expected: Iterable[JobState]) -> bool:
        """End the job as FAILED with the step and the reason."""
        return self.move(task, job, failed(task, failure), expected=expected)

    def wake_next(self, job_id: str) -> None:
        """Wake the step that the job's state calls for, unless a worker is at it or it waits."""
        job = self.records.get(job_id)
        if job is None:
            log.warning("step.skipped", job=job_id, reason="no_record")
            return
        task = self._next.get(job.state)
        if task is not None and job.lease_until <= self.records.clock():
            self._wake(task, job_id)

    def _due(self, outcome: Outcome) -> float:
        now = self.records.clock()
        if outcome.due is not None:
            return now + outcome.due
        return now + LOST_WAKE_AFTER if outcome.to in self._next else 0.0


def failed(task: Task, failure: Failure, also: Mapping[str, object] | None = None) -> Outcome:
    """The end of a job, with the step and the reason; `also` is set on the record besides."""
    told = {"step": task, "reason": failure.reason, "sentence": failure.sentence}
    return Outcome(to=JobState.FAILED, set={**told, **(also or {})}, event=told)
