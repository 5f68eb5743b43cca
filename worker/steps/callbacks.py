"""What a verified callback says, and whether it is about the attempt that its job is at."""

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
    """What the callback tells for the record, its payload, and the failure it reports if any."""
    content = json.loads(callback.body)
    told = {"callback": callback.fingerprint, "request_id": callback.request_id}
    payload: Json = content.get("payload")
    if content["status"] == "OK":
        return told, payload, None
    refusal = read_error(content.get("error"), payload)
    retryable = "; rendering it again may help" if refusal.retryable else ""
    return told, None, Permanent(refusal.reason, refusal.sentence + retryable)


def same_request(job: Job, callback: Callback) -> bool:
    """Whether it belongs to the job's present attempt, and to the request id where one is known."""
    return job.attempt == callback.attempt and job.request_id in {"", callback.request_id}


def rendered(job: Job, payload: Json, told: Mapping[str, object]) -> Outcome:
    """RENDERED with the result on the record; FAILED where it holds nothing to publish.

    `told` is what else becomes known with it, the request id for one.
    """
    kept = {**told, "payload": payload}
    if not publishable(payload, needs_file=bool(job.needs_file)):
        return unrendered(_nothing(job), kept)
    return Outcome(
        to=JobState.RENDERED,
        set={**kept, "step": "", "reason": "", "sentence": ""},
        event={"request_id": str(told["request_id"])} if "request_id" in told else {},
    )


def unrendered(failure: Permanent, told: Mapping[str, object]) -> Outcome:
    """FAILED because fal has no result of this job, with fal's words."""
    why = {"step": "render", "reason": failure.reason, "sentence": failure.sentence}
    return Outcome(to=JobState.FAILED, set={**told, **why}, event=why)


def _nothing(job: Job) -> Permanent:
    if job.needs_file:
        sentence = "fal's result holds no video or other file with an address"
        return Permanent("no_video", sentence)
    return Permanent("no_result", "fal's result is empty")
