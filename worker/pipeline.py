"""The steps and their order, as one table; `run` takes a job through one of them.

The record decides, messages only wake: a task that is delivered twice, late or out of order
finds that it may not claim the job, and passes the job on to the step that its state calls for.
"""

import random
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from webhook.contract import Task
from webhook.log import get_logger
from worker.failures import Failure, Permanent, Transient
from worker.jobs import MOVES, Job, JobState
from worker.lease import LEASE, Leases
from worker.records import Change, Event, Records

# A wake that was lost is found by the sweep after this many seconds.
WAKE_GRACE = 20.0
# Waits between tries double from the first to the longest, in seconds, plus up to a quarter.
FIRST_WAIT = 5.0
LONGEST_WAIT = 600.0
# The longest Retry-After that is honoured.
LONGEST_ASKED = 3600.0

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a step achieved: the state to move to, what to write down, and what to tell."""

    to: JobState
    set: Mapping[str, object] = field(default_factory=dict)
    event: Event = field(default_factory=dict)
    # Seconds until the job is due to have moved again; None: until a lost wake counts as lost.
    due: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One row of the table."""

    task: Task
    takes: JobState
    work: Callable[[Job], Outcome]
    # Starts until the job fails; waits between them double, so 12 cover more than an hour.
    tries: int = 12
    # The state while the step works, where that is more than a lease on `takes`.
    claims: JobState | None = None
    bumps: tuple[str, ...] = ("tries",)
    # States that the job may have been put into meanwhile and from which the outcome still counts.
    late: tuple[JobState, ...] = ()
    # What a fault that nobody foresaw means for the job; None: try again.
    on_crash: Callable[[Job], Outcome] | None = None

    @property
    def during(self) -> JobState:
        """The state of a job that this step works on."""
        return self.claims or self.takes


class Pipeline:
    """Takes jobs through steps. `wake` sends the Celery message of a task for a job."""

    def __init__(
        self,
        records: Records,
        steps: Iterable[Step],
        wake: Callable[[Task, str], None],
        *,
        leases: Leases,
        rng: random.Random | None = None,
    ) -> None:
        self.records = records
        self.steps = {step.task: step for step in steps}
        self._next = {step.takes: step.task for step in self.steps.values()}
        self._wake = wake
        self._leases = leases
        self._rng = rng or random.Random()  # noqa: S311  # jitter, not a secret

    def run(self, task: Task, job_id: str) -> None:
        """Afterwards the job moved one step on, waits to be tried again, or failed for good."""
        step = self.steps[task]
        job = self._claim(step, job_id)
        if job is None:
            self.pass_on(job_id)
            return
        log.info("step.started", job=job.id, step=step.task, attempt=job.attempt, tries=job.tries)
        try:
            with self._leases.hold(job, step.during):
                outcome = self._work(step, job)
        except Permanent as failure:
            self.fail(step.task, job, failure, expected=[step.during])
        except Transient as failure:
            self._again(step, job, failure)
        else:
            self.move(step.task, job, outcome, expected=[step.during, *step.late])

    def move(self, task: Task, job: Job, outcome: Outcome, *, expected: Iterable[JobState]) -> bool:
        """Move the job and wake what comes next; False if it was not where it was expected."""
        allowed = [state for state in expected if outcome.to in MOVES[state]]
        now = self.records.clock()
        change = Change(
            to=outcome.to,
            set={"lease_owner": "", "lease_until": 0, "tries": 0, "wakes": 0, **outcome.set},
            guard={"attempt": job.attempt} if job.attempt else None,
            due=self._due(outcome, now),
            event={"name": "moved", "step": task, **outcome.event},
        )
        moved = self.records.change(job.id, allowed, change)
        if moved:
            reason = outcome.event.get("reason")
            log.info("job.moved", job=job.id, step=task, state=outcome.to, reason=reason)
        self.pass_on(job.id)
        return moved

    def fail(self, task: Task, job: Job, failure: Failure, *, expected: Iterable[JobState]) -> bool:
        """End the job as FAILED with the step and the reason."""
        told = {"step": task, "reason": failure.reason, "sentence": failure.sentence}
        outcome = Outcome(to=JobState.FAILED, set=told, event=told)
        return self.move(task, job, outcome, expected=expected)

    def pass_on(self, job_id: str) -> None:
        """Wake the step that the job's state calls for, unless a worker is at it or it waits."""
        job = self.records.get(job_id)
        if job is None:
            log.warning("step.skipped", job=job_id, reason="no_record")
            return
        task = self._next.get(job.state)
        if task is not None and job.lease_until <= self.records.clock():
            self._wake(task, job_id)

    def _claim(self, step: Step, job_id: str) -> Job | None:
        now = self.records.clock()
        lease = {"lease_owner": uuid.uuid4().hex, "lease_until": now + LEASE}
        change = Change(
            to=step.claims,
            set=lease,
            bump=step.bumps,
            due=now + LEASE,
            unleased_at=now,
            event={"name": "started", "step": step.task},
        )
        claimed = self.records.change(job_id, [step.takes], change)
        return self.records.get(job_id) if claimed else None

    def _work(self, step: Step, job: Job) -> Outcome:
        if job.tries > step.tries:
            sentence = f"{step.task} was started {step.tries} times and never ended"
            raise Permanent("too_many_tries", sentence)
        try:
            return step.work(job)
        except Failure:
            raise
        except Exception as error:
            log.exception("step.crashed", job=job.id, step=step.task)
            if step.on_crash is not None:
                return step.on_crash(job)
            raise Transient("crashed", f"{step.task}: {type(error).__name__}") from error

    def _again(self, step: Step, job: Job, failure: Transient) -> None:
        if job.tries >= step.tries:
            self.fail(step.task, job, failure, expected=[step.during])
            return
        wait = self._wait(job.tries, failure.after)
        until = self.records.clock() + wait
        told = {"name": "retried", "step": step.task, "reason": failure.reason}
        change = Change(
            to=step.takes,
            set={"lease_owner": "", "lease_until": until},
            due=until,
            event={**told, "wait": f"{wait:.1f}"},
        )
        self.records.change(job.id, [step.during], change)
        log.warning("step.retried", job=job.id, step=step.task, reason=failure.reason, wait=wait)

    def _wait(self, tries: int, asked: float | None) -> float:
        wait: float = min(FIRST_WAIT * 2.0 ** (tries - 1), LONGEST_WAIT)
        if asked is not None:
            wait = min(asked, LONGEST_ASKED)
        # Jitter only adds: nobody is to come earlier than asked.
        return wait * self._rng.uniform(1.0, 1.25)

    def _due(self, outcome: Outcome, now: float) -> float:
        if outcome.due is not None:
            return now + outcome.due
        return now + WAKE_GRACE if outcome.to in self._next else 0.0
