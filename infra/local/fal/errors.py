"""The errors of fal: those of the platform and those of its models.

https://fal.ai/docs/errors
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PLATFORM: Mapping[str, tuple[int, str]] = {
    "request_timeout": (504, "Request timed out"),
    "startup_timeout": (504, "Runner did not start in time"),
    "runner_scheduling_failure": (503, "No runner became available in time"),
    "runner_connection_timeout": (503, "Connection to the runner timed out"),
    "runner_disconnected": (503, "Runner disconnected unexpectedly"),
    "runner_connection_refused": (503, "Runner refused the connection"),
    "runner_connection_error": (503, "Could not connect to the runner"),
    "runner_incomplete_response": (502, "Runner sent an incomplete response"),
    "runner_server_error": (500, "Runner failed with a server error"),
    "client_disconnected": (499, "Client disconnected"),
    "client_cancelled": (499, "Request was cancelled by the client"),
    "bad_request": (400, "Bad request"),
    "internal_error": (500, "Internal error"),
}

_SERVER_SIDE: Mapping[str, int] = {
    "internal_server_error": 500,
    "generation_timeout": 504,
    "downstream_service_error": 500,
    "downstream_service_unavailable": 500,
}
_INPUT_SIDE = (
    "content_policy_violation",
    "no_media_generated",
    "image_too_small",
    "image_too_large",
    "image_load_error",
    "file_download_error",
    "face_detection_error",
    "file_too_large",
    "greater_than",
    "greater_than_equal",
    "less_than",
    "less_than_equal",
    "multiple_of",
    "sequence_too_short",
    "sequence_too_long",
    "one_of",
    "feature_not_supported",
    "invalid_archive",
    "archive_file_count_below_minimum",
    "archive_file_count_exceeds_maximum",
    "audio_duration_too_long",
    "audio_duration_too_short",
    "unsupported_audio_format",
    "unsupported_image_format",
    "unsupported_video_format",
    "video_duration_too_long",
    "video_duration_too_short",
    "missing",
    "string_type",
    "enum",
)
MODEL: Mapping[str, int] = {**_SERVER_SIDE, **dict.fromkeys(_INPUT_SIDE, 422)}
"""The HTTP status of each `type` of model error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderResult:
    """The result of a render: its HTTP status and its JSON body."""

    status: int
    payload: Any

    @property
    def ok(self) -> bool:
        """Return whether the render succeeded."""
        return self.status == 200  # noqa: PLR2004

    @property
    def error_type(self) -> str:
        """The machine-readable reason of a failure: the platform's, or the model's first; or ""."""
        match self.payload:
            case {"error_type": str(kind)} | {"detail": [{"type": str(kind)}, *_]} if not self.ok:
                return kind
        return ""


def platform_failure(error_type: str) -> RenderResult:
    """Return the platform's failure of this `error_type`."""
    status, text = PLATFORM[error_type]
    return RenderResult(status=status, payload={"detail": text, "error_type": error_type})


def model_failure(details: list[dict[str, Any]]) -> RenderResult:
    """Return a model's failure with the error objects `details`."""
    status = MODEL.get(str(details[0]["type"]), 422)
    return RenderResult(status=status, payload={"detail": details})


def error_detail(
    error_type: str, *, field: str | None, message: str, value: object
) -> dict[str, Any]:
    """Return one error object of a model; like fal's, it echoes the offending `value`."""
    return {
        "loc": ["body"] if field is None else ["body", field],
        "msg": message,
        "type": error_type,
        "url": f"https://docs.fal.ai/errors#{error_type}",
        "input": value,
    }
