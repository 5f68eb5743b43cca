"""The ingest task: applies verified callbacks, and missed deadlines, to their jobs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from redis.exceptions import RedisError

from webhook.contract import Callback, Task
from webhook.log import get_logger
from worker.jobs.change import Change, Outcome
from worker.jobs.counts import Ingested
from worker.jobs.counts import callback as counted
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore
from worker.jobs.transitions import Transitions
from worker.steps.callbacks import (
    TAKES,
    UNREAD,
    Report,
    failed_at_fal,
    read,
    rendered,
    same_request,
    says_the_same,
    unfetched,
    unrendered,
)
from worker.steps.inbox import InboxReader
from worker.steps.lookup import LookUp

# Ended without a result: one that comes later is stored for `falhook retry`.
KEEPS = frozenset({JobState.FAILED, JobState.CANCELLED})
# Nothing of the attempt that the record knows is under way or stored: a later one may replace it.
_BEHIND = (KEEPS | TAKES) - {JobState.SUBMITTING}

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

        A callback whose ingestion crashes stays in the inbox, and the sweep returns to it; after
        MAX_CRASHES it is set aside. The job's deadline ends the job meanwhile.
        """
        brought = [self._try(job_id) for job_id in job_ids]
        if brought == [False]:
            # It waits for an answer of fal: never in a batch, where others would wait with it.
            self.lookup.run(job_ids[0])

    def _try(self, job_id: str) -> bool:
        """Return whether there were callbacks, each of which brought the end of a render."""
        try:
            return self._ingest(job_id)
        except RedisError:
            raise
        except Exception:  # the callbacks of other jobs must not wait for this one's bug
            log.exception("step.crashed", job=job_id, step=Task.INGEST)
            return False

    def _ingest(self, job_id: str) -> bool:
        callbacks = self.inbox.callbacks(job_id)
        if not callbacks:
            return False
        job = self.store.get(job_id)
        if job is None:
            log.error("callback.orphaned", job=job_id, callbacks=len(callbacks))
            self.inbox.set_aside(job_id, len(callbacks))
            return False
        brought = True
        for callback in callbacks:
            brought &= self._take(job, callback)
            if callback is not callbacks[-1]:
                job = self.store.get(job_id) or job
        return brought

    def _take(self, job: Job, callback: Callback) -> bool:
        try:
            brought = self._settle(job, callback)
        except RedisError:
            raise
        except Exception:  # the job's other callbacks must not wait for this one
            log.exception("step.crashed", job=job.id, step=Task.INGEST)
            self.inbox.count_crash(job.id, callback.fingerprint)
            return False
        self.inbox.remove(job.id, callback)
        return brought

    def _settle(self, before: Job, callback: Callback) -> bool:
        """Apply the callback to the record, of which `before` may be an older version.

        Return whether it brought a result or a failure, whatever the record says.
        """
        report = read(callback)
        brought = report.has_result or report.failure is not None
        before = self._caught_up(before, callback)
        while not self._settled(before, callback, report):
            job = self.store.get(before.id)
            if job is None:
                return brought
            if _version(job) == _version(before):
                log.warning("callback.conflict", job=job.id, state=job.state)
                self._note(job, Ingested.CONFLICT, callback)
                return brought
            before = job
        return brought

    def _caught_up(self, job: Job, callback: Callback) -> Job:
        """Return the job, with the attempt of a verified callback if its record has lost that.

        Only falhook's secret makes the address of an attempt, so it was sent. A Redis that was
        restored does not know it, and would send it again.
        """
        if callback.attempt <= job.attempt or not callback.body:
            return job
        if job.payload is not None:  # paid for too, and first
            return job
        lost = {"attempt": callback.attempt, "posted": callback.attempt, "request_id": ""}
        change = Change(set=lost, guard={"attempt": job.attempt, "callback": job.callback})
        if self.store.change(job.id, _BEHIND, change):
            log.warning("callback.ahead", job=job.id, state=job.state, attempt=callback.attempt)
        return self.store.get(job.id) or job

    def _settled(self, job: Job, callback: Callback, report: Report) -> bool:
        """Return False if the callback contradicts the record, or another one was faster."""
        same = same_request(job, callback)
        if job.callback == callback.fingerprint or (same and says_the_same(job, report)):
            log.info("callback.duplicate", job=job.id, state=job.state)
            self._note(job, Ingested.DUPLICATE, callback)
            # The wake that followed the first one may have been lost.
            self.transitions.wake_next(job.id)
            return True
        return same and (self._apply(job, report) or self._keep(job, callback, report))

    def _apply(self, job: Job, report: Report) -> bool:
        if job.state in TAKES:
            return self._accept(job, report)
        # fal said that the render failed, and then that it succeeded: what is paid for counts.
        succeeded = report.has_result or report.reason == "payload_null"
        return succeeded and failed_at_fal(job) and self._accept(job, report)

    def _accept(self, job: Job, report: Report) -> bool:
        how = Ingested.LATE if job.state is JobState.EXPIRED else Ingested.ACCEPTED
        if report.failure is not None:
            return self._move(job, unrendered(report.failure, report.fields), how)
        if report.has_result:
            return self._move(job, rendered(job, report.payload, report.fields), how)
        if report.reason == UNREAD:
            log.warning("callback.unread", job=job.id, state=job.state)
        outcome = unfetched(report)
        if job.state is not JobState.SUBMITTED:
            return self._move(job, outcome, Ingested.UNFETCHED)
        change = Change(
            set=outcome.set,
            guard={"attempt": job.attempt, "callback": job.callback},
            due=self.store.clock(),
            event={"name": report.reason, "step": Task.INGEST, **outcome.event},
            count=counted(Ingested.UNFETCHED),
        )
        return self.store.change(job.id, [JobState.SUBMITTED], change)

    def _move(self, job: Job, outcome: Outcome, how: Ingested) -> bool:
        outcome = replace(outcome, count=counted(how))
        if not failed_at_fal(job):
            return self.transitions.move(Task.INGEST, job, outcome, expected=TAKES)
        guard = {"attempt": job.attempt, "callback": job.callback}
        return self.transitions.move(
            Task.INGEST, job, outcome, expected=[JobState.FAILED], guard=guard
        )

    def _keep(self, job: Job, callback: Callback, report: Report) -> bool:
        """Store a result that came after the job's end: it is paid for, and `retry` uses it."""
        if job.payload is not None or (job.callback and not report.has_result):
            return False
        change = Change(
            set={**report.fields, "payload": report.payload},
            guard={"attempt": job.attempt, "callback": job.callback},
            event={
                "name": "callback_kept",
                "step": Task.INGEST,
                "request_id": callback.request_id,
                "reason": report.failure.reason if report.failure else report.reason or "rendered",
            },
            count=counted(Ingested.KEPT),
        )
        stored = self.store.change(job.id, KEEPS, change)
        if stored:
            log.warning("callback.kept", job=job.id, state=job.state)
        return stored

    def _note(self, job: Job, how: Ingested, callback: Callback) -> None:
        event = {"name": how, "attempt": str(callback.attempt), "request_id": callback.request_id}
        self.store.change(job.id, JobState, Change(event=event, count=counted(how)))


def _version(job: Job) -> tuple[object, ...]:
    return job.state, job.attempt, job.callback
