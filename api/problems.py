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
    """A kind of problem: its HTTP status, its title, and what the client does next."""

    status: int
    title: str
    retry: Retry = Retry.NEVER


KINDS: Mapping[str, Kind] = {
    "bad_request": Kind(status=400, title="The request cannot be read"),
    "bad_json": Kind(status=400, title="The body is not strict JSON"),
    "bad_cursor": Kind(status=400, title="The cursor is not one that this API returned"),
    "key_required": Kind(status=400, title="An Idempotency-Key is required"),
    "bad_key": Kind(status=400, title="The Idempotency-Key cannot be used"),
    "unauthenticated": Kind(status=401, title="No valid API key"),
    "scope": Kind(status=403, title="The API key lacks a scope"),
    "not_found": Kind(status=404, title="There is nothing at this address"),
    "method_not_allowed": Kind(status=405, title="The resource has no such method"),
    "wrong_state": Kind(status=409, title="The job's state does not allow this"),
    "would_pay": Kind(status=409, title="fal would be paid, which the request does not allow"),
    "too_large": Kind(status=413, title="The body is too large"),
    "unsupported_media_type": Kind(status=415, title="The body has an unsupported type"),
    "bad_range": Kind(status=416, title="The file has no such range"),
    "idempotency_mismatch": Kind(
        status=422, title="The key was used for another request", retry=Retry.NEW_KEY
    ),
    "invalid_request": Kind(status=422, title="The request has invalid fields"),
    "rejected": Kind(status=422, title="The job cannot be created like this"),
    "too_expensive": Kind(status=422, title="The job may cost more than max_price"),
    "rate_limited": Kind(status=429, title="Too many requests", retry=Retry.AFTER),
    "too_many_streams": Kind(status=429, title="Too many open streams", retry=Retry.AFTER),
    "internal": Kind(status=500, title="falhook has a defect", retry=Retry.SAME_KEY),
    "unavailable": Kind(status=503, title="A part is unavailable", retry=Retry.SAME_KEY),
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
