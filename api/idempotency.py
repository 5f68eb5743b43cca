"""Idempotency by construction: the id of a job follows from the tenant and the key.

So there is no lock, no time to live and nothing that sticks: a key works for as long as the job is
known. https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

import hashlib
import json
import re
from base64 import b32encode
from collections.abc import Sequence

from pydantic import BaseModel

from api.problems import ProblemError
from worker.jobs.job import Job
from worker.operations.request import AS_SENT, canonical

HEADER = "Idempotency-Key"
LONGEST_KEY = 255
# json.dumps makes an encoder for each text.
_sorted = json.JSONEncoder(sort_keys=True).encode
_PRINTABLE = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?")


def key_of(header: str | None, *, required: bool) -> str | None:
    """Return the key of a request; None if it has none. Raises ProblemError."""
    if header is None:
        if required:
            detail = f"send a header {HEADER}: this API refuses jobs without one"
            raise ProblemError("key_required", detail)
        return None
    # The draft's syntax is a quoted string, which many clients do not send.
    key = header[1:-1] if len(header) > 1 and header[0] == header[-1] == '"' else header
    require_key(key)
    return key


def require_key(key: str) -> None:
    """Return if this can be a key. Raises ProblemError."""
    if _PRINTABLE.fullmatch(key) is None:
        detail = f"an {HEADER} has 1 to {LONGEST_KEY} printable ASCII characters"
        raise ProblemError("bad_key", detail)


def job_id_of(tenant: str, key: str) -> str:
    """Return the id of the tenant's job with this key."""
    digest = hashlib.sha256(f"{tenant}\0{key}".encode()).digest()
    return "j" + b32encode(digest).decode().lower()[:25]


def fingerprint(job: Job, sent: str = "") -> str:
    """Return a text that tells two requests apart, by field, and has no value of either.

    Both jobs are validated: equal requests always give the same text, but for `sent`, the digest of
    this one as it was sent.
    """
    parts: dict[str, object] = {"endpoint": job.endpoint}
    parts |= {f"arguments.{name}": canonical(value) for name, value in job.arguments.items()}
    parts |= {f"metadata.{name}": value for name, value in job.metadata.items()}
    parts |= {f"options.{name}": value for name, value in job.options.items()}
    if job.notify:
        parts["notify"] = job.notify
    digests = {name: _digest(job.id, value) for name, value in sorted(parts.items())}
    return json.dumps({AS_SENT: sent, **digests})


def digest_of(request: BaseModel, job_id: str) -> str:
    """Return a digest of a request for this job, before it is validated: values and their order."""
    text = repr((job_id, vars(request)))
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()[:32]


def is_repeated(job: Job, sent: str) -> bool:
    """Return whether the job was created by a request with this digest."""
    return bool(job.fingerprint) and json.loads(job.fingerprint).get(AS_SENT) == sent


def _digest(job_id: str, value: object) -> str:
    text = _sorted([job_id, value])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def mismatch(fields: Sequence[str]) -> ProblemError:
    """Return the problem of a key that was used for a request with other values of `fields`."""
    names = ", ".join(fields[:10])
    return ProblemError(
        "idempotency_mismatch",
        f"the {HEADER} belongs to a job that differs in {names}; send the request with another "
        "key, or the original values",
    )
