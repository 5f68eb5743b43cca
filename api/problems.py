"""Problems: every answer that is an error, as RFC 9457 describes it, and what the client does next.

https://www.rfc-editor.org/rfc/rfc9457
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from redis.exceptions import RedisError

from worker.catalogue.errors import InputProblem, RequestRejected
from worker.errors import Failure
from worker.operations.request import InvalidJobId


class Retry(StrEnum):
    """What the client of a failed request does next."""

    SAME_KEY = "same_key"
    """Send the same request again, with the same Idempotency-Key: it may have been carried out."""
    NEW_KEY = "new_key"
    """This key belongs to something else: use another one."""
    AFTER = "after"
    """Send the same request again after `retry_after` seconds: nothing was done."""
    NEVER = "never"
    """The same request fails again: correct it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of problem: its HTTP status, its title, and what the client does next.

    `cure` says how a person corrects it.
    """

    status: int
    title: str
    cure: str
    retry: Retry = Retry.NEVER


KINDS: Mapping[str, Kind] = {
    "bad_request": Kind(
        status=400,
        title="The request cannot be read",
        cure="Send the whole body, as HTTP/1.1 describes it.",
    ),
    "bad_json": Kind(
        status=400,
        title="The body is not strict JSON",
        cure="Send UTF-8 without NaN, Infinity or a name that an object has twice.",
    ),
    "bad_cursor": Kind(
        status=400,
        title="The cursor is not one that this API returned",
        cure="Begin without a cursor.",
    ),
    "key_required": Kind(
        status=400,
        title="An Idempotency-Key is required",
        cure="Send a header Idempotency-Key with a text of yours, such as the order's number.",
    ),
    "bad_key": Kind(
        status=400,
        title="The Idempotency-Key cannot be used",
        cure="Send one of the length and characters that the answer names.",
    ),
    "unauthenticated": Kind(
        status=401,
        title="No valid API key",
        cure="Send Authorization: Bearer fhk_…; `falhook keys add` makes a key.",
    ),
    "scope": Kind(
        status=403,
        title="The API key lacks a scope",
        cure="Use a key with the scope that the answer names.",
    ),
    "not_found": Kind(
        status=404,
        title="There is nothing at this address",
        cure="Check the address, and that the key is of the tenant to whom the job belongs.",
    ),
    "file_missing": Kind(
        status=404,
        title="A published file is missing in the storage",
        cure="The job has published it, and someone deleted it since: restore it from a backup. "
        "The render cannot be fetched again.",
    ),
    "method_not_allowed": Kind(
        status=405,
        title="The resource has no such method",
        cure="Use a method that the header Allow names.",
    ),
    "too_slow": Kind(
        status=408,
        title="The body took too long",
        cure="Send the file again, over a faster connection.",
        retry=Retry.SAME_KEY,
    ),
    "wrong_state": Kind(
        status=409,
        title="The job's state does not allow this",
        cure="Read the job: its state says what can be done with it.",
    ),
    "would_pay": Kind(
        status=409,
        title="fal would be paid, which the request does not allow",
        cure="Send allow_pay: true, if that is meant.",
    ),
    "too_large": Kind(
        status=413,
        title="The body is too large",
        cure="Send a smaller one. FALHOOK_API_UPLOAD_MAX_BYTES bounds uploads.",
    ),
    "unsupported_media_type": Kind(
        status=415,
        title="The body has an unsupported type",
        cure="Send JSON as application/json, and an upload as the bytes of the file alone.",
    ),
    "bad_range": Kind(
        status=416,
        title="The file has no such range",
        cure="The header Content-Range says how many bytes it has.",
    ),
    "idempotency_mismatch": Kind(
        status=422,
        title="The key was used for another request",
        cure="Use another Idempotency-Key, or repeat the first request unchanged.",
        retry=Retry.NEW_KEY,
    ),
    "invalid_request": Kind(
        status=422,
        title="The request has invalid fields",
        cure="Correct every field that `problems` lists.",
    ),
    "rejected": Kind(
        status=422,
        title="The job cannot be created like this",
        cure="Correct what `problems` lists; GET /v1/models/{id} has the schema of the arguments.",
    ),
    "unusable_file": Kind(
        status=422,
        title="The file cannot be this input",
        cure="Send a file of the type, size and dimensions that the answer names.",
    ),
    "too_expensive": Kind(
        status=422,
        title="The job may cost more than max_price",
        cure="Raise max_price, or choose a cheaper endpoint, length or resolution.",
    ),
    "rate_limited": Kind(
        status=429,
        title="Too many requests",
        cure="Wait for the seconds in Retry-After; the header RateLimit says what is left.",
        retry=Retry.AFTER,
    ),
    "too_many_streams": Kind(
        status=429,
        title="Too many open streams",
        cure="Close one first, or follow all jobs with one.",
        retry=Retry.AFTER,
    ),
    "too_many_uploads": Kind(
        status=429,
        title="Too many uploads at once",
        cure="Wait for the seconds in Retry-After, and send fewer at the same time.",
        retry=Retry.AFTER,
    ),
    "internal": Kind(
        status=500,
        title="falhook has a defect",
        cure="The log has it under the request_id; please report it.",
        retry=Retry.SAME_KEY,
    ),
    "unavailable": Kind(
        status=503,
        title="A part is unavailable",
        cure="Repeat the request after the seconds in Retry-After; the code says which part it is, "
        "and `falhook check` tries each.",
        retry=Retry.SAME_KEY,
    ),
}
# Seconds after which a request to something unavailable is worth repeating.
RETRY_AFTER = 5.0


class ProblemError(Exception):
    """A request that fails as a problem of the kind `kind`; `detail` says what, and the cure.

    `code` is the reason code, by default the kind. Neither text may contain a value of the request
    that could be a prompt or a secret.
    """

    def __init__(
        self,
        kind: str,
        detail: str,
        *,
        code: str = "",
        problems: Sequence[InputProblem] = (),
        retry: Retry | None = None,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = KINDS[kind]
        self.code = code or kind
        self.detail = detail
        self.problems = problems
        self.retry = retry or self.kind.retry
        self.retry_after = retry_after
        if retry_after is None and self.kind.status == KINDS["unavailable"].status:
            self.retry_after = RETRY_AFTER
        self.headers = dict(headers or {})

    def body(self, request_id: str) -> dict[str, object]:
        """Return the members of the answer's JSON object."""
        return {
            "type": f"/docs/problems#{self.code}",
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
            "code": self.code,
            "request_id": request_id,
            "problems": [asdict(problem) for problem in self.problems],
            "retry": self.retry,
            "retry_after": self.retry_after,
        }


def as_problem(error: Exception) -> ProblemError | None:
    """Return an error of another room as a problem; None for a defect."""
    match error:
        case ProblemError():
            return error
        case RequestRejected():
            return ProblemError("rejected", str(error), code=error.reason, problems=error.problems)
        case InvalidJobId():
            return ProblemError("rejected", str(error), code=error.reason)
        case RedisError():
            detail = (
                "Redis is unavailable or does not take writes now; the request may have "
                "been carried out"
            )
            return ProblemError("unavailable", detail, code="redis_unavailable")
        case Failure():
            return ProblemError("unavailable", error.sentence, code=error.reason)
    return None
