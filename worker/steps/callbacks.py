"""Verified callbacks: their content, the attempt they belong to, the outcome they lead to."""

import json
from collections.abc import Mapping

from webhook.contract import Callback
from worker.errors import Permanent
from worker.fal.errors import read_error
from worker.fal.result import publishable
from worker.jobs.change import Outcome
from worker.jobs.job import Job, JobState
from worker.types import Json


def read(callback: Callback) -> tuple[Mapping[str, object], Json, Permanent | None]:
    """Return the callback's fields for the record, its payload, and the failure it reports."""
    content = json.loads(callback.body)
    fields = {"callback": callback.fingerprint, "request_id": callback.request_id}
    payload: Json = content.get("payload")
    if content["status"] == "OK":
        return fields, payload, None
    error = read_error(content.get("error"), payload)
    retryable = "; rendering it again may help" if error.retryable else ""
    return fields, None, Permanent(error.reason, error.sentence + retryable)


def same_request(job: Job, callback: Callback) -> bool:
    """Whether it belongs to the job's present attempt, and to its request id if one is known."""
    return job.attempt == callback.attempt and job.request_id in {"", callback.request_id}


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


def unrendered(failure: Permanent, fields: Mapping[str, object]) -> Outcome:
    """Return FAILED because fal has no result of this job, with fal's words."""
    event = {"step": "render", "reason": failure.reason, "sentence": failure.sentence}
    return Outcome(to=JobState.FAILED, set={**fields, **event}, event=event)


def _nothing_to_publish(job: Job) -> Permanent:
    if job.needs_file:
        sentence = "fal's result has no video or other file with a URL"
        return Permanent("no_video", sentence)
    return Permanent("no_result", "fal's result is empty")
