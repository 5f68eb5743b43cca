"""What a verified callback says, and whether it is about the attempt that its job is at."""

import json
from collections.abc import Mapping

from webhook.contract import Callback
from worker.errors import Permanent
from worker.fal.errors import read_error
from worker.jobs.job import Job, Json


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
