"""Transitions of jobs: one compare-and-set, then a wake of the next task."""

from collections.abc import Callable, Iterable, Mapping

from webhook.contract import Task
from webhook.log import get_logger
from worker.errors import Failure
from worker.jobs.change import RESET, Change, Outcome
from worker.jobs.job import Job, JobState
from worker.jobs.store import LOST_WAKE_AFTER, JobStore

# Ends that cost somebody a clip.
BAD_ENDS = frozenset({JobState.FAILED, JobState.EXPIRED})

log = get_logger()


class Transitions:
    """Moves jobs from state to state.

    `next_task` maps each state to the task that it calls for; `wake` sends a task's message;
    `ended` hears of each move of a job, with its new state.
    """

    def __init__(
        self,
        store: JobStore,
        next_task: Mapping[JobState, Task],
        wake: Callable[[Task, str], None],
        ended: Callable[[Job, JobState], object] = lambda _job, _state: None,
    ) -> None:
        self._store = store
        self._next = next_task
        self._wake = wake
        self._ended = ended

    def move(
        self,
        task: Task,
        job: Job,
        outcome: Outcome,
        *,
        expected: Iterable[JobState],
        guard: Mapping[str, object] | None = None,
    ) -> bool:
        """Move the job and wake the next task; return False if it was in no expected state.

        `guard` lists fields that must be unchanged on the record; by default the attempt of `job`.
        """
        change = Change(
            to=outcome.to,
            set={**RESET, **outcome.set},
            guard={"attempt": job.attempt} if guard is None else guard,
            due=self._due(outcome),
            event={"name": "moved", "step": task, **outcome.event},
            drop=outcome.drop,
            unkept=outcome.unkept,
            forget=outcome.forget,
            count=outcome.count,
        )
        moved = self._store.change(job.id, expected, change)
        if moved:
            reason = outcome.event.get("reason")
            fields = {"job": job.id, "step": task, "state": outcome.to, "reason": reason}
            if outcome.to in BAD_ENDS:
                log.warning("job.moved", **fields)
            else:
                log.info("job.moved", **fields)
            self._ended(job, outcome.to)
            self._wake_for(outcome.to, job.id)
        else:
            self.wake_next(job.id)
        return moved

    def fail(self, task: Task, job: Job, failure: Failure, *, expected: Iterable[JobState]) -> bool:
        """End the job as FAILED with the step and the reason."""
        return self.move(task, job, failed(task, failure), expected=expected)

    def wake_next(self, job_id: str) -> None:
        """Wake the task that the job's state calls for, unless a worker has leased the job."""
        job = self._store.get(job_id)
        if job is None:
            log.warning("step.skipped", job=job_id, reason="no_record")
            return
        if job.lease_until <= self._store.clock():
            self._wake_for(job.state, job_id)

    def _wake_for(self, state: JobState, job_id: str) -> None:
        task = self._next.get(state)
        if task is not None:
            self._wake(task, job_id)

    def next_task(self, state: JobState) -> Task | None:
        """Return the task that a job in this state waits for; None if it waits for none."""
        return self._next.get(state)

    def _due(self, outcome: Outcome) -> float:
        now = self._store.clock()
        if outcome.due is not None:
            return now + outcome.due
        return now + LOST_WAKE_AFTER if outcome.to in self._next else 0.0


def failed(task: Task, failure: Failure, also: Mapping[str, object] | None = None) -> Outcome:
    """Return the outcome FAILED with the step and the reason; `also` lists more fields to set."""
    event = {"step": task, "reason": failure.reason, "sentence": failure.sentence}
    return Outcome(to=JobState.FAILED, set={**event, **(also or {})}, event=event)
