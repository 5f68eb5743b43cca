"""fal's words about what went wrong, made fit for a record: short, and without any input.

fal's validation errors echo the offending input, which may be a prompt or a whole data URI
(`input`, and `ctx` in places); only `loc`, `msg` and `type` are kept.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from worker.types import Json

MAX_WORDS = 300

# https://fal.ai/docs/errors : what may succeed when it is rendered again.
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
    """Why fal did not render: one word, one sentence, and whether rendering again may help."""

    reason: str
    sentence: str
    retryable: bool


def read_error(error: str | None, payload: Json) -> RenderError:
    """The refusal of an ERROR callback or error body, whatever shape it has."""
    match payload:
        case {"detail": list(details)} if details:
            lines = [_detail(detail) for detail in details]
            kind = _type(details[0]) or "invalid_input"
            sentence = "; ".join(lines)
        case {"detail": str(detail), "error_type": str(kind)}:
            kind, sentence = _word(kind) or "render_failed", detail
        case {"detail": str(detail)}:
            kind, sentence = "render_failed", detail
        case _:
            kind, sentence = "render_failed", error or "fal gave no reason"
    return RenderError(reason=kind, sentence=_short(sentence), retryable=kind in RETRYABLE)


def words(response: httpx.Response) -> str:
    """What an error answer says, short and without input."""
    try:
        body: Json = json.loads(response.text)
    except (ValueError, RecursionError):
        return response.reason_phrase or "no reason given"
    return read_error(None, body).sentence


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that Retry-After asks for (RFC 9110, 10.2.3); None for a date or nonsense."""
    value = headers.get("retry-after", "")
    return float(value) if value.isascii() and value.isdigit() else None


def _detail(detail: Json) -> str:
    match detail:
        case {"loc": list(loc), "msg": str(message)}:
            where = ".".join(str(part) for part in loc if part != "body")
            return f"{where}: {message}" if where else message
        case {"msg": str(message)} | str(message):
            return message
    return "unspecified"


def _type(detail: Json) -> str:
    return _word(detail.get("type")) if isinstance(detail, dict) else ""


def _word(value: Json) -> str:
    text = value if isinstance(value, str) else ""
    return text if text.replace("_", "").isalnum() and len(text) <= 64 else ""  # noqa: PLR2004


def _short(text: str) -> str:
    # JSON may hold lone surrogates, which no UTF-8 text can.
    flat = " ".join(text.encode(errors="replace").decode().split())
    if not flat:
        return "fal gave no reason"
    return flat if len(flat) <= MAX_WORDS else flat[: MAX_WORDS - 1] + "…"
