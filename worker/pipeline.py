"""The pipeline: its steps in order, as one table; `Pipeline.run` takes a job through one of them.

One rule for paid results, in `Pipeline._give_up`: before a job FAILS after its result arrived, the
step's rescue is asked to publish what there is. What could not be made is then missing from the
manifest, with the reason.

The record decides; messages only wake. A task that is delivered twice, late or out of order cannot
claim the job, and wakes the step that the job's state calls for.
"""

import random
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from redis.exceptions import RedisError

from webhook.contract import Task
from webhook.log import get_logger
from worker.errors import Failure, Permanent, Transient
from worker.jobs.change import Change, Outcome
from worker.jobs.job import Job, JobState
from worker.jobs.leases import LEASE, Leases
from worker.jobs.step import Step, backoff, is_last_wait
from worker.jobs.store import REPLICA_BEHIND, JobStore
from worker.jobs.transitions import Transitions, failed

# The dependency is down, not the job broken: waiting for it does not count as a try.
UNAVAILABLE = frozenset(
    {
        "storage_unavailable",
        "storage_unwritable",
        "storage_full",
        "disk_full",
        "signing_failed",
        "timestamp_unavailable",
    }
)
# The reason of jobs that wait because fal refuses their account.
ACCOUNT_PAUSED = "account_paused"

STEPS: tuple[Step, ...] = (
    Step(
        task=Task.SUBMIT,
        takes=JobState.QUEUED,
        works_in=JobState.SUBMITTING,
        gives=(JobState.SUBMITTED, JobState.SUBMIT_UNKNOWN),
        counts=("tries", "attempt"),
        # The answer to a POST counts even if the sweep has given the job up meanwhile.
        also_from=(JobState.SUBMIT_UNKNOWN,),
        # Every failure that leaves the step means that fal certainly has no such job.
        on_failure={"posted": 0},
        holds_for=frozenset({ACCOUNT_PAUSED, REPLICA_BEHIND}),
    ),
    # Here fal renders. Its callback (steps/ingest.py), or one look-up after the deadline
    # (steps/lookup.py), takes the job from SUBMITTED or SUBMIT_UNKNOWN to RENDERED.
    Step(task=Task.DOWNLOAD, takes=JobState.RENDERED, gives=(JobState.DOWNLOADED,)),
    # Few tries: a clip that crashes ffmpeg once will crash it again.
    Step(
        task=Task.TRANSCODE_TAG,
        takes=JobState.DOWNLOADED,
        gives=(JobState.TAGGED,),
        tries=4,
        waits_for=UNAVAILABLE,
    ),
    Step(task=Task.PUBLISH, takes=JobState.TAGGED, gives=(JobState.PUBLISHED,)),
)

# The task that each state calls for.
NEXT_TASK: Mapping[JobState, Task] = {step.takes: step.task for step in STEPS}

# Tries to write an outcome before it is given up. One try takes the Redis client about 5 s, since
# it retries by itself: a Redis that is back within a minute costs nothing.
OUTCOME_WRITES = 10
# Starts after the last try in which only the rescue is tried: it may have ended the worker too.
RESCUES = 2

Work = Callable[[Job], Outcome]
# Returns the outcome that publishes what there is although the step failed; None if nothing is.
Rescue = Callable[[Job, Failure], Outcome | None]

log = get_logger()


class Pipeline:
    """Takes jobs through the steps.

    `work` maps each task to the function that does its work, `rescues` to the one that publishes
    what there is once that work has failed for good.
    """

    def __init__(
        self,
        *,
        store: JobStore,
        transitions: Transitions,
        leases: Leases,
        work: Mapping[Task, Work],
        rescues: Mapping[Task, Rescue] = MappingProxyType({}),
        steps: Iterable[Step] = STEPS,
        rng: random.Random | None = None,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._store = store
        self._transitions = transitions
        self._leases = leases
        self._work = work
        self._rescues = rescues
        self._steps = {step.task: step for step in steps}
        self._rng = rng or random.Random()  # noqa: S311  # jitter, not a secret
        self._pause = pause

    def run(self, task: Task, job_id: str) -> None:
        """Take the job one step on; afterwards it moved, waits for its next try, or FAILED."""
        step = self._steps[task]
        job = self._claim(step, job_id)
        if job is None:
            self._transitions.wake_next(job_id)
            return
        log.info("step.started", job=job.id, step=step.task, attempt=job.attempt, tries=job.tries)
        try:
            with self._leases.hold(job, step.during[0]):
                outcome = self._outcome(step, job)
        except Transient as failure:
            self._retry_later(step, job, failure)
        else:
            self._finish(step, job, outcome)

    def _claim(self, step: Step, job_id: str) -> Job | None:
        now = self._store.clock()
        owner = uuid.uuid4().hex
        change = Change(
            to=step.works_in,
            set={"lease_owner": owner, "lease_until": now + LEASE, "wakes": 0},
            bump=step.counts,
            due=now + LEASE,
            unleased_at=now,
            event={"name": "started", "step": step.task},
        )
        # A refusal does not say who owns the lease, but the record does: a claim whose answer was
        # lost is sent again by the Redis client, and the second one is refused by the first.
        job = self._store.changed(job_id, [step.takes], change) or self._store.get(job_id)
        return job if job is not None and job.lease_owner == owner else None

    def _outcome(self, step: Step, job: Job) -> Outcome:
        """Do the work, or give it up. Raises Transient if it is to be tried again."""
        try:
            return self._do(step, job)
        except Permanent as failure:
            return self._give_up(step, job, failure)
        except Transient as failure:
            if not self._is_last(step, job, failure):
                raise
            return self._give_up(step, job, failure)

    def _give_up(self, step: Step, job: Job, failure: Failure) -> Outcome:
        """Return the outcome of the step's rescue, which has a few tries at most, else FAILED."""
        rescue = self._rescues.get(step.task)
        rescued = None
        if rescue is not None and job.tries <= step.tries + RESCUES:
            try:
                rescued = rescue(job, failure)
            except Failure as another:
                log.warning("rescue.failed", job=job.id, step=step.task, reason=another.reason)
            except Exception:
                log.exception("step.crashed", job=job.id, step=step.task)
        if rescued is None:
            return failed(step.task, failure, step.on_failure)
        log.warning("job.rescued", job=job.id, step=step.task, reason=failure.reason)
        return rescued

    def _is_last(self, step: Step, job: Job, failure: Transient) -> bool:
        if failure.reason in step.holds_for:
            return False
        if failure.reason in step.waits_for:
            return is_last_wait(job)
        return job.tries >= step.tries

    def _do(self, step: Step, job: Job) -> Outcome:
        if job.tries > step.tries:
            sentence = f"{step.task} was started {step.tries} times and never finished"
            raise Permanent("too_many_tries", sentence)
        try:
            return self._work[step.task](job)
        except Failure:
            raise
        except Exception as error:
            log.exception("step.crashed", job=job.id, step=step.task)
            raise Transient("crashed", f"{step.task}: {type(error).__name__}") from error

    def _finish(self, step: Step, job: Job, outcome: Outcome) -> None:
        """Write the outcome, if need be once Redis is back.

        It may contain fal's request id, which is stored nowhere else.
        """
        assert outcome.to in {*step.gives, JobState.FAILED}, f"{step.task} gave {outcome.to}"
        guard = step.guard(job)

        def write() -> None:
            moved = self._transitions.move(
                step.task, job, outcome, expected=step.during, guard=guard
            )
            if not moved and outcome.anyway:
                self._store.change(job.id, JobState, Change(set=outcome.anyway, guard=guard))

        self._write(job, write)

    def _write(self, job: Job, write: Callable[[], object]) -> None:
        """Write what became of a start, if need be once Redis is back; else raise its error."""
        for left in reversed(range(OUTCOME_WRITES)):
            try:
                write()
            except RedisError as error:
                log.warning("outcome.waits", job=job.id, error=error, left=left)
                if not left:
                    raise
                self._pause(1.0)
            else:
                return

    def _retry_later(self, step: Step, job: Job, failure: Transient) -> None:
        holds = failure.reason in step.holds_for
        waits = holds or failure.reason in step.waits_for
        count = job.waits + 1 if waits else job.tries
        uncounted = {"tries": job.tries - 1, "waits": 0 if holds else count} if waits else {}
        why = {"step": step.task, "reason": failure.reason, "sentence": failure.sentence}
        seconds = backoff(count, failure.after, self._rng)
        until = self._store.clock() + seconds
        event = {"name": "retried", "step": step.task, "reason": failure.reason}
        change = Change(
            to=step.takes,
            set={"lease_owner": "", "lease_until": until, **uncounted, **step.on_failure}
            | (why if holds else {}),
            guard=step.guard(job),
            due=until,
            event={**event, "wait": f"{seconds:.1f}"},
        )
        # A submit that posted nothing is known to nobody else: without this the job would wait for
        # a callback that never comes.
        self._write(job, lambda: self._store.change(job.id, step.during, change))
        peer = {"host": failure.host} if failure.host else {}
        fields = {"step": step.task, "reason": failure.reason, "wait": seconds}
        log.warning("step.retried", job=job.id, **fields, **peer)
