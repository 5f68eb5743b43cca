"""The ingest task: applies verified callbacks, and missed deadlines, to their jobs."""

from collections.abc import Sequence
from dataclasses import dataclass

from redis.exceptions import RedisError

from webhook.contract import Callback, Task
from webhook.log import get_logger
from worker.jobs.change import Change, Outcome
from worker.jobs.job import AWAITING, Job, JobState
from worker.jobs.store import JobStore
from worker.jobs.transitions import Transitions
from worker.steps.callbacks import read, rendered, same_request, unrendered
from worker.steps.inbox import InboxReader
from worker.steps.lookup import LookUp

TAKES = frozenset({*AWAITING, JobState.EXPIRED, JobState.QUEUED})
# Ended without a callback: a later one is stored for `falhook retry`.
KEEPS = frozenset({JobState.FAILED, JobState.CANCELLED})

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest:
    """Applies callbacks from the inbox to the records."""

    store: JobStore
    transitions: Transitions
    inbox: InboxReader
    lookup: LookUp

    def run(self, job_ids: Sequence[str]) -> None:
        """Apply the callbacks of these jobs to their records and remove them from the inbox.

        A callback that cannot be applied stays in the inbox: the sweep returns to it, perhaps with
        better code, and the job's deadline ends the job meanwhile.
        """
        for job_id in job_ids:
            self._try(job_id)
        if len(job_ids) == 1:
            # It waits for an answer of fal: never in a batch, where others would wait with it.
            self.lookup.run(job_ids[0])

    def _try(self, job_id: str) -> None:
        try:
            self._ingest(job_id)
        except RedisError:
            raise
        except Exception:  # the callbacks of other jobs must not wait for this one's bug
            log.exception("step.crashed", job=job_id, step=Task.INGEST)

    def _ingest(self, job_id: str) -> None:
        callbacks = self.inbox.callbacks(job_id)
        if not callbacks:
            return
        if self.store.get(job_id) is None:
            log.error("callback.orphaned", job=job_id, callbacks=len(callbacks))
            self.inbox.set_aside(job_id)
            return
        for callback in callbacks:
            self._settle(job_id, callback)
            self.inbox.remove(job_id, callback)

    def _settle(self, job_id: str, callback: Callback) -> None:
        job = self.store.get(job_id)
        known = job is not None and job.callback == callback.fingerprint
        if job is None or (not known and _fits(job, callback) and self._apply(job, callback)):
            return
        # Read again: another delivery of the same callback may have moved the record.
        job = self.store.get(job_id) or job
        if job.callback == callback.fingerprint:
            log.info("callback.duplicate", job=job.id, state=job.state)
            self._note(job, "duplicate", callback)
            # The wake that followed the first one may have been lost.
            self.transitions.wake_next(job.id)
        elif not self._keep(job, callback):
            log.warning("callback.conflict", job=job.id, state=job.state)
            self._note(job, "conflict", callback)

    def _apply(self, job: Job, callback: Callback) -> bool:
        fields, payload, failure = read(callback)
        if failure is not None:
            return self._move(job, unrendered(failure, fields))
        if payload is not None:
            return self._move(job, rendered(job, payload, fields))
        # https://docs.fal.ai/documentation/model-apis/inference/webhooks : it succeeded, but its
        # result could not be encoded into the callback: look it up immediately.
        outcome = Outcome(
            to=JobState.SUBMITTED,
            set={**fields, "looked_up": 0},
            event={"reason": "payload_null", "request_id": callback.request_id},
            due=0.0,
        )
        if job.state is not JobState.SUBMITTED:
            return self._move(job, outcome)
        change = Change(
            set=outcome.set,
            guard={"attempt": job.attempt, "callback": ""},
            due=self.store.clock(),
            event={"name": "payload_null", "step": Task.INGEST, **outcome.event},
        )
        return self.store.change(job.id, [JobState.SUBMITTED], change)

    def _move(self, job: Job, outcome: Outcome) -> bool:
        return self.transitions.move(Task.INGEST, job, outcome, expected=TAKES)

    def _keep(self, job: Job, callback: Callback) -> bool:
        """Store a result that came after the job's end: it is paid for, and `retry` uses it."""
        if not same_request(job, callback):
            return False
        fields, payload, failure = read(callback)
        change = Change(
            set={**fields, "payload": payload} if payload else fields,
            guard={"attempt": job.attempt, "callback": ""},
            event={
                "name": "callback_kept",
                "step": Task.INGEST,
                "request_id": callback.request_id,
                "reason": failure.reason if failure else "rendered",
            },
        )
        stored = self.store.change(job.id, KEEPS, change)
        if stored:
            log.warning("callback.kept", job=job.id, state=job.state)
        return stored

    def _note(self, job: Job, name: str, callback: Callback) -> None:
        event = {"name": name, "attempt": str(callback.attempt), "request_id": callback.request_id}
        self.store.change(job.id, JobState, Change(event=event))


def _fits(job: Job, callback: Callback) -> bool:
    return job.state in TAKES and same_request(job, callback)
