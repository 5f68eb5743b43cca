"""Verified callbacks: their content, the attempt they belong to, the outcome they lead to."""

from collections.abc import Mapping
from dataclasses import dataclass

from webhook.contract import Callback
from worker.errors import Permanent
from worker.fal.errors import read_error
from worker.fal.lenient_json import parse_lenient
from worker.fal.result import has_rendered, opened, publishable
from worker.jobs.change import Outcome
from worker.jobs.job import AWAITING, Job, JobState
from worker.types import Json

# The reason on the record of a job whose callback did not bring what became of it.
UNREAD = "callback_unread"
# States in which a job takes what a callback says.
TAKES = frozenset({*AWAITING, JobState.EXPIRED, JobState.QUEUED})
# Reasons of jobs that failed because fal's result has nothing to publish.
_EMPTY = frozenset({"no_video", "no_result"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a callback says: a result, a failure, or neither, and the fields for the record.

    Files that come with a failure, or with a status that fal does not document, are in `fields`,
    so that the record keeps them.
    Without a result and a failure only fal can say what became of the job: `reason` says why. It
    is payload_null if the job succeeded and its result was too large or odd for the callback, and
    UNREAD if the receiver could not take the body or it has another form than fal documents.
    """

    fields: Mapping[str, object]
    payload: Json = None
    failure: Permanent | None = None
    reason: str = ""

    @property
    def has_result(self) -> bool:
        """Whether it contains the result of the job."""
        return self.payload is not None


def read(callback: Callback) -> Report:
    """Return what a callback says, whatever its body is: any bytes and any JSON have a meaning."""
    fields: dict[str, object] = {
        "callback": callback.fingerprint,
        "request_id": callback.request_id,
    }
    content = _content(callback.body)
    payload = opened(content.get("payload"))
    kept = has_rendered(payload)
    match content.get("status"):
        case "OK":
            reason = "payload_null" if payload is None else ""
            return Report(fields=fields, payload=payload, reason=reason)
        case "ERROR":
            error = read_error(content.get("error"), content.get("payload"))
            sentence = error.sentence + error.advice
            if kept:
                fields["payload"] = payload
                sentence += "; files came with the error, and `falhook retry` publishes them"
            return Report(fields=fields, failure=Permanent(error.reason, sentence))
    return Report(fields=fields | ({"payload": payload} if kept else {}), reason=UNREAD)


def failed_at_fal(job: Job) -> bool:
    """Whether the job ended because fal said that the render failed."""
    return job.state is JobState.FAILED and job.step == "render" and job.reason not in _EMPTY


def _content(body: bytes) -> dict[str, Json]:
    try:
        content = parse_lenient(body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def same_request(job: Job, callback: Callback) -> bool:
    """Whether it belongs to the job's present attempt, and to its request id if one is known.

    A callback without a body was too large to be verified (webhook/receiver.py): its request id
    proves nothing, and must be known already.
    """
    known = {callback.request_id} if not callback.body else {"", callback.request_id}
    return job.attempt == callback.attempt and job.request_id in known


def says_the_same(job: Job, report: Report) -> bool:
    """Whether the record says all that the callback does, which fal may have written otherwise.

    The record of a published job has no result to compare with: any says the same.
    """
    if report.has_result:
        dropped = job.state is JobState.PUBLISHED and job.payload is None
        known = job.payload == report.payload
        return dropped or (known and job.state not in TAKES and not failed_at_fal(job))
    if report.failure is not None:
        told = (job.step, job.reason, job.sentence)
        return told == ("render", report.failure.reason, report.failure.sentence)
    # It says at most that the job has ended, and the record says more unless it was unread too.
    return bool(job.callback) and (report.reason == UNREAD or job.reason != UNREAD)


def rendered(job: Job, payload: Json, fields: Mapping[str, object]) -> Outcome:
    """Return RENDERED with the result; FAILED if the result has nothing to publish.

    `fields` become known with the result, such as the request id.
    """
    fields = {**fields, "payload": payload}
    if not publishable(payload, needs_file=bool(job.needs_file)):
        return unrendered(_nothing_to_publish(job), fields)
    return Outcome(
        to=JobState.RENDERED,
        set={**fields, "step": "", "reason": "", "sentence": ""},
        event={"request_id": str(fields["request_id"])} if "request_id" in fields else {},
    )


def unfetched(report: Report) -> Outcome:
    """Return SUBMITTED and due: fal has ended the job and only a look-up can bring its result."""
    unread = report.reason == UNREAD
    sentence = "fal's callback could not be read; its result is looked up" if unread else ""
    return Outcome(
        to=JobState.SUBMITTED,
        set={
            **report.fields,
            "looked_up": 0,
            "step": "render" if unread else "",
            "reason": UNREAD if unread else "",
            "sentence": sentence,
        },
        event={"reason": report.reason, "request_id": str(report.fields["request_id"])},
        due=0.0,
    )


def unrendered(failure: Permanent, fields: Mapping[str, object]) -> Outcome:
    """Return FAILED because fal has no result of this job, with fal's words."""
    event = {"step": "render", "reason": failure.reason, "sentence": failure.sentence}
    return Outcome(to=JobState.FAILED, set={**fields, **event}, event=event)


def _nothing_to_publish(job: Job) -> Permanent:
    if job.needs_file:
        sentence = "fal's result has no video or other file with a URL"
        return Permanent("no_video", sentence)
    return Permanent("no_result", "fal's result is empty")
