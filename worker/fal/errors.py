"""fal's error messages, made fit for a record: short, and without any input.

fal's validation errors echo the offending input, which may be a prompt or a whole data URI
(`input`, and `ctx` in places); only `loc`, `msg` and `type` are kept.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from worker.types import Json

MAX_CHARACTERS = 300

# https://fal.ai/docs/errors : errors after which rendering again may succeed.
RETRYABLE = frozenset(
    {
        "internal_server_error",
        "generation_timeout",
        "downstream_service_error",
        "downstream_service_unavailable",
        "request_timeout",
        "startup_timeout",
        "runner_scheduling_failure",
        "runner_connection_timeout",
        "runner_disconnected",
        "runner_connection_refused",
        "runner_connection_error",
        "runner_incomplete_response",
        "runner_server_error",
        "internal_error",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderError:
    """Why fal did not render: reason code, sentence, and whether rendering again may help."""

    reason: str
    sentence: str
    retryable: bool


def read_error(error: str | None, payload: Json) -> RenderError:
    """Return the error in an ERROR callback or an error body, in any of fal's shapes."""
    match payload:
        case {"detail": list(details)} if details:
            reason = _type(details[0]) or "invalid_input"
            sentence = "; ".join(_detail(detail) for detail in details)
        case {"detail": str(detail), "error_type": str(error_type)}:
            reason, sentence = _reason_code(error_type) or "render_failed", detail
        case {"detail": str(detail)}:
            reason, sentence = "render_failed", detail
        case _:
            reason, sentence = "render_failed", error or "fal gave no reason"
    return RenderError(reason=reason, sentence=_short(sentence), retryable=reason in RETRYABLE)


def error_text(response: httpx.Response) -> str:
    """Return the message of an error response, short and without input."""
    try:
        body: Json = json.loads(response.text)
    except (ValueError, RecursionError):
        return response.reason_phrase or "no reason given"
    return read_error(None, body).sentence


def retry_after(headers: httpx.Headers) -> float | None:
    """Return the wait in seconds that Retry-After requests; None without a valid value.

    The value is a number of seconds or a date (RFC 9110, section 10.2.3). A date in the past is a
    wait of 0; a date without a time zone is not valid.
    """
    value = headers.get("Retry-After", "")
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):  # of invalid dates; TypeError: no time zone
        return None


def _detail(detail: Json) -> str:
    match detail:
        case {"loc": list(loc), "msg": str(message)}:
            path = ".".join(str(part) for part in loc if part != "body")
            return f"{path}: {message}" if path else message
        case {"msg": str(message)} | str(message):
            return message
    return "unspecified"


def _type(detail: Json) -> str:
    return _reason_code(detail.get("type")) if isinstance(detail, dict) else ""


def _reason_code(value: Json) -> str:
    text = value if isinstance(value, str) else ""
    return text if text.replace("_", "").isalnum() and len(text) <= 64 else ""  # noqa: PLR2004


def _short(text: str) -> str:
    # JSON may contain lone surrogates, which cannot be encoded as UTF-8.
    flat = " ".join(text.encode(errors="replace").decode().split())
    if not flat:
        return "fal gave no reason"
    return flat if len(flat) <= MAX_CHARACTERS else flat[: MAX_CHARACTERS - 1] + "…"
