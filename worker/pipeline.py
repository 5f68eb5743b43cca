"""The steps and their order, as one table; `run` takes a job through one of them.

The record decides, messages only wake: a task that is delivered twice, late or out of order
finds that it may not claim the job, and passes the job on to the step that its state calls for.
"""

import random
import time
import uuid
from collections.abc import Callable, Iterable

from redis.exceptions import RedisError

from webhook.contract import Task
from webhook.log import get_logger
from worker.errors import Failure, Permanent, Transient
from worker.jobs.change import Change, Outcome
from worker.jobs.job import Job
from worker.jobs.leases import LEASE, Leases
from worker.jobs.step import MAX_WAITS, Step, backoff
from worker.jobs.store import JobStore
from worker.jobs.transitions import LOST_WAKE_AFTER, Transitions, failed

__all__ = ["LOST_WAKE_AFTER", "Outcome", "Pipeline", "Step"]

# Times that an outcome is written before it is given up. One time takes the Redis client 5 s
# or so, since it tries again itself: a Redis that is back within a minute costs nothing.
OUTCOME_WRITES = 10

log = get_logger()


class Pipeline(Transitions):
    """Takes jobs through steps. `wake` sends the Celery message of a task for a job."""

    def __init__(
        self,
        records: JobStore,
        steps: Iterable[Step],
        wake: Callable[[Task, str], None],
        *,
        leases: Leases,
        rng: random.Random | None = None,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self.steps = {step.task: step for step in steps}
        following = {step.takes: step.task for step in self.steps.values()}
        super().__init__(records, following, wake)
        self._leases = leases
        self._rng = rng or random.Random()  # noqa: S311  # jitter, not a secret
        self._pause = pause

    def run(self, task: Task, job_id: str) -> None:
        """Afterwards the job moved one step on, waits to be tried again, or failed for good."""
        step = self.steps[task]
        job = self._claim(step, job_id)
        if job is None:
            self.wake_next(job_id)
            return
        log.info("step.started", job=job.id, step=step.task, attempt=job.attempt, tries=job.tries)
        try:
            with self._leases.hold(job, step.during[0]):
                outcome = self._work(step, job)
        except Permanent as failure:
            self._finish(step, job, failed(step.task, failure, step.on_failure))
        except Transient as failure:
            self._retry_later(step, job, failure)
        else:
            self._finish(step, job, outcome)

    def _claim(self, step: Step, job_id: str) -> Job | None:
        now = self.records.clock()
        owner = uuid.uuid4().hex
        change = Change(
            to=step.works_in,
            set={"lease_owner": owner, "lease_until": now + LEASE, "wakes": 0},
            bump=step.counts,
            due=now + LEASE,
            unleased_at=now,
            event={"name": "started", "step": step.task},
        )
        self.records.change(job_id, [step.takes], change)
        # Asked of the record, not of the answer: a claim whose answer was lost is sent again by
        # the Redis client, and the second one is refused because of the first.
        job = self.records.get(job_id)
        return job if job is not None and job.lease_owner == owner else None

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

    def _finish(self, step: Step, job: Job, outcome: Outcome) -> None:
        """Write the outcome down, if need be once Redis is back: fal's request id, which nobody
        else has, may be in it.
        """
        for left in reversed(range(OUTCOME_WRITES)):
            try:
                self.move(step.task, job, outcome, expected=step.during, guard=step.guard(job))
            except RedisError as error:
                log.warning("outcome.waits", job=job.id, error=type(error).__name__, left=left)
                if not left:
                    raise
                self._pause(1.0)
            else:
                return

    def _retry_later(self, step: Step, job: Job, failure: Transient) -> None:
        away = failure.reason in step.waits_for
        count, most = (job.waits + 1, MAX_WAITS) if away else (job.tries, step.tries)
        if count >= most:
            self._finish(step, job, failed(step.task, failure, step.on_failure))
            return
        counted = {"tries": job.tries - 1, "waits": count} if away else {}
        seconds = backoff(count, failure.after, self._rng)
        until = self.records.clock() + seconds
        event = {"name": "retried", "step": step.task, "reason": failure.reason}
        change = Change(
            to=step.takes,
            set={"lease_owner": "", "lease_until": until, **counted, **step.on_failure},
            guard=step.guard(job),
            due=until,
            event={**event, "wait": f"{seconds:.1f}"},
        )
        self.records.change(job.id, step.during, change)
        at = {"host": failure.host} if failure.host else {}
        told = {"step": step.task, "reason": failure.reason, "wait": seconds}
        log.warning("step.retried", job=job.id, **told, **at)
