"""The ingest step: what a verified callback, or a missed deadline, means for its job."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from redis.exceptions import RedisError

from webhook.contract import Callback, Task
from webhook.log import get_logger
from worker.failures import Failure, Permanent, Transient
from worker.fal import Fal, NoResult
from worker.inbox import Inbox
from worker.jobs import AWAITING, Job, JobState, Json
from worker.pipeline import Outcome, Pipeline
from worker.records import Change
from worker.refusal import read_error
from worker.result import video_address

TAKES = frozenset({*AWAITING, JobState.EXPIRED, JobState.QUEUED})

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest:
    """Brings callbacks from the inbox to the records; `deadline` is the seconds one may take."""

    pipeline: Pipeline
    inbox: Inbox
    fal: Fal
    deadline: float

    def run(self, job_ids: Sequence[str]) -> None:
        """Afterwards the callbacks of these jobs are on their records and out of the inbox."""
        for job_id in job_ids:
            try:
                self._ingest(job_id)
            except RedisError:
                raise
            except Exception:  # the callbacks of the other jobs must not wait for this one's bug
                log.exception("step.crashed", job=job_id, step=Task.INGEST)

    def _ingest(self, job_id: str) -> None:
        callbacks = self.inbox.callbacks(job_id)
        if self.pipeline.records.get(job_id) is None:
            if callbacks:
                log.error("callback.orphaned", job=job_id, callbacks=len(callbacks))
                self.inbox.set_aside(job_id)
            return
        for callback in callbacks:
            self._settle(job_id, callback)
            self.inbox.remove(job_id, callback)
        if not callbacks:
            self._overdue(job_id)

    def _settle(self, job_id: str, callback: Callback) -> None:
        job = self.pipeline.records.get(job_id)
        if job is None or (_fits(job, callback) and self._apply(job, callback)):
            return
        # Read again: the record may have been moved by another delivery of the same callback.
        job = self.pipeline.records.get(job_id) or job
        if job.callback == callback.fingerprint:
            log.info("callback.duplicate", job=job.id, state=job.state)
            self._note(job, "duplicate", callback)
        else:
            log.warning("callback.conflict", job=job.id, state=job.state)
            self._note(job, "conflict", callback)

    def _apply(self, job: Job, callback: Callback) -> bool:
        content = json.loads(callback.body)
        told = {"callback": callback.fingerprint, "request_id": callback.request_id}
        payload: Json = content.get("payload")
        if content["status"] == "ERROR":
            refusal = read_error(content.get("error"), payload)
            failure: Failure = Permanent(refusal.reason, refusal.sentence)
            retryable = str(refusal.retryable).lower()
            return self._fail(job, failure, told, {"retryable": retryable})
        if payload is None:
            # https://docs.fal.ai/documentation/model-apis/inference/webhooks : it succeeded, but
            # its result could not be encoded into the callback.
            return self._look_up(job, told, reason="payload_null")
        return self._render(job, payload, told)

    def _render(self, job: Job, payload: Json, told: Mapping[str, object]) -> bool:
        try:
            video_address(payload)
        except Permanent as failure:
            return self._fail(job, failure, {**told, "payload": payload}, {})
        outcome = Outcome(
            to=JobState.RENDERED,
            set={**told, "payload": payload, "reason": "", "sentence": ""},
            event={"request_id": str(told.get("request_id", job.request_id))},
        )
        return self.pipeline.move(Task.INGEST, job, outcome, expected=TAKES)

    def _fail(
        self, job: Job, failure: Failure, told: Mapping[str, object], event: Mapping[str, str]
    ) -> bool:
        why = {"step": "render", "reason": failure.reason, "sentence": failure.sentence}
        outcome = Outcome(to=JobState.FAILED, set={**told, **why}, event={**why, **event})
        return self.pipeline.move(Task.INGEST, job, outcome, expected=TAKES)

    def _overdue(self, job_id: str) -> None:
        job = self.pipeline.records.get(job_id)
        if job is None or job.state not in {JobState.SUBMITTED, JobState.SUBMIT_UNKNOWN}:
            return
        if self.pipeline.records.clock() < job.submitted_at + self.deadline:
            return
        log.warning("callback.lost", job=job.id, state=job.state)
        self._look_up(job, {}, reason="no_callback")

    def _look_up(self, job: Job, told: Mapping[str, object], *, reason: str) -> bool:
        claim = Change(
            set={"looked_up": 1},
            guard={"looked_up": ""},
            event={"name": "looked_up", "step": Task.INGEST, "reason": reason},
        )
        request_id = str(told.get("request_id") or job.request_id)
        if not request_id or not self.pipeline.records.change(job.id, TAKES, claim):
            return self._expire(job, told, reason, "no callback came before the deadline")
        address = job.response_url or self.fal.result_address(job.endpoint, request_id)
        try:
            payload = self.fal.result(address)
        except (NoResult, Transient) as failure:
            return self._expire(job, told, reason, failure.sentence)
        except Permanent as failure:
            return self._fail(job, failure, told, {})
        return self._render(job, payload, told)

    def _expire(self, job: Job, told: Mapping[str, object], reason: str, sentence: str) -> bool:
        why = {"step": "render", "reason": reason, "sentence": sentence}
        outcome = Outcome(to=JobState.EXPIRED, set={**told, **why}, event=why)
        return self.pipeline.move(Task.INGEST, job, outcome, expected=AWAITING)

    def _note(self, job: Job, name: str, callback: Callback) -> None:
        event = {"name": name, "attempt": str(callback.attempt), "request_id": callback.request_id}
        self.pipeline.records.change(job.id, JobState, Change(event=event))


def _fits(job: Job, callback: Callback) -> bool:
    same_request = job.request_id in {"", callback.request_id}
    return job.state in TAKES and job.attempt == callback.attempt and same_request
