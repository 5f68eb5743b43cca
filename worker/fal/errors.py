"""fal's error messages, made fit for a record: short, and without any input.

fal's validation errors echo the offending input, which may be a prompt or a whole data URI
(`input`, and `ctx` in places); only `loc`, `msg` and `type` are kept.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from worker.fal.lenient_json import parse_lenient
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

    @property
    def advice(self) -> str:
        """What to add to the sentence."""
        return "; rendering it again may help" if self.retryable else ""


def read_error(error: Json, payload: Json) -> RenderError:
    """Return the error in an ERROR callback or an error body, whatever JSON it is.

    fal documents two forms of `payload`; models that relay the error of another service put other
    JSON into either argument.
    """
    detail = payload.get("detail") if isinstance(payload, dict) else None
    kind = payload.get("error_type") if isinstance(payload, dict) else None
    match detail:
        case [first, *_]:
            reason = _type(first) or "invalid_input"
        case _:
            reason = _reason_code(kind) or _type(detail) or _type(error) or "render_failed"
    told = (_words(detail), _members(payload), _words(error), _text(payload))
    sentence = next((words for words in told if words), "")
    return RenderError(reason=reason, sentence=_short(sentence), retryable=reason in RETRYABLE)


# Reasons of errors that name no type of their own.
_UNTYPED = frozenset({"invalid_input", "render_failed"})


def typed_error(response: httpx.Response) -> RenderError | None:
    """Return the error that the response names by a type, in its body or in X-Fal-Error-Type.

    Such an error is fal's about the request. One without a type may come from anything on the way.
    """
    try:
        error = read_error(None, parse_lenient(response.content))
    except ValueError:
        error = read_error(None, response.reason_phrase)
    if error.reason not in _UNTYPED:
        return error
    header = _reason_code(response.headers.get("X-Fal-Error-Type"))
    return replace(error, reason=header, retryable=header in RETRYABLE) if header else None


def error_text(response: httpx.Response) -> str:
    """Return the message of an error response, short and without input."""
    try:
        body = parse_lenient(response.content)
    except ValueError:
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


# Names under which services put the words of an error. Others may contain the input.
_NAMES = ("msg", "message", "detail", "error", "reason", "description", "title")
# More errors than one sentence has room for, and levels within one: a bound on foreign JSON.
_MAX_ERRORS, _MAX_LEVELS = 20, 6


def _words(value: Json, levels: int = _MAX_LEVELS) -> str:
    """Return the words of an error of any form; empty if it has none that are known to be words."""
    match value:
        case str():
            return value.strip()
        case bool() | None:
            return ""
        case int() | float():
            return str(value)
        case list() if levels:
            words = [_words(item, levels - 1) or "unspecified" for item in value[:_MAX_ERRORS]]
            return "; ".join(words)
        case {"loc": list(loc), "msg": str(message)}:
            path = ".".join(str(part) for part in loc if part != "body")
            return f"{path}: {message}" if path else message
    return _members(value, levels)


def _members(value: Json, levels: int = _MAX_LEVELS) -> str:
    if not isinstance(value, dict) or not levels:
        return ""
    members = (_words(value[name], levels - 1) for name in _NAMES if name in value)
    return next((words for words in members if words), "")


def _text(value: Json) -> str:
    return value.strip() if isinstance(value, str) else ""


def _type(detail: Json) -> str:
    if not isinstance(detail, dict):
        return ""
    names = ("type", "error_type", "code")
    return next((code for name in names if (code := _reason_code(detail.get(name)))), "")


def _reason_code(value: Json) -> str:
    text = value if isinstance(value, str) else ""
    return text if text.replace("_", "").isalnum() and len(text) <= 64 else ""  # noqa: PLR2004


def _short(text: str) -> str:
    # JSON may contain lone surrogates, which cannot be encoded as UTF-8.
    flat = " ".join(text.encode(errors="replace").decode().split())
    if not flat:
        return "fal gave no reason"
    return flat if len(flat) <= MAX_CHARACTERS else flat[: MAX_CHARACTERS - 1] + "…"
