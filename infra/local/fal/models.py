"""The inputs and outputs of fal's endpoints, derived from the endpoints' names.

Like fal, the simulation does not check inputs when a job is submitted: bad ones fail the render.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.local.fal.errors import error_detail

KLING_APPS = frozenset({"fal-ai/kling-video", "fal-ai/kling-image", "fal-ai/kling", "kling/v4"})
RATIOS = ("auto", "16:9", "9:16", "1:1", "4:3", "3:4", "3:2", "2:3", "21:9")
_FIVE_OR_TEN = ("5", "10")
_MAX_PROMPT = 2500
_MAX_URL = 2083


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedEndpoint:
    """The inputs that an endpoint needs and the outputs that it returns.

    `required` holds field names, alternatives joined by ``|``; `durations` holds the valid values
    of ``duration``; `outputs` holds the fields of the result.
    """

    required: tuple[str, ...] = ()
    durations: tuple[str | int, ...] = _FIVE_OR_TEN
    outputs: tuple[str, ...] = ("video",)
    checked: bool = field(default=True)


_SHAPES: tuple[tuple[str, str, str], ...] = (
    # Pattern of the sub-path, required fields, fields of the result. The first match is used.
    (r"^kling-image/.*image-to-image$|^kling-image/o1$", "prompt image_url|image_urls", "images"),
    (r"^kling-image/.*text-to-image$", "prompt", "images"),
    (r"/kolors-virtual-try-on$", "human_image_url garment_image_url", "image"),
    (r"/create-voice$", "voice_url", "voice_id"),
    (r"/tts$", "text", "audio"),
    (r"/video-to-audio$", "video_url", "video audio"),
    (r"/lipsync/audio-to-video$", "video_url audio_url", "video"),
    (r"/lipsync/text-to-video$", "video_url text voice_id", "video"),
    (r"/effects$", "effect_scene", "video"),
    (r"/elements$", "prompt input_image_urls", "video"),
    (r"/ai-avatar(/(pro|standard)|/v2/(pro|standard))?$", "image_url audio_url", "video duration"),
    (r"/motion-control$", "image_url video_url character_orientation", "video"),
    (r"/video-to-video/(edit|reference)$", "prompt video_url", "video"),
    (r"/reference-to-video$", "prompt|multi_prompt", "video"),
    (r"/(v3|o3)/.*/image-to-video$|^v4/image-to-video$", "image_url|start_image_url", "video"),
    (r"/image-to-video$", "prompt image_url|start_image_url", "video"),
    (r"/text-to-video$", "prompt|multi_prompt", "video"),
)


# https://github.com/fal-ai/fal fal_client/client.py: APP_NAMESPACES
_NAMESPACES = frozenset({"workflows", "comfy"})


def app_of(endpoint: str) -> str:
    """Return ``owner/alias`` of an endpoint id; below a namespace also the namespace.

    ``workflows/owner/name`` and ``comfy/owner/name`` have three segments in all their addresses.
    """
    segments = endpoint.split("/")
    return "/".join(segments[: 3 if segments[0] in _NAMESPACES else 2])


def find_endpoint(endpoint: str) -> SimulatedEndpoint | None:
    """Return the inputs and outputs of `endpoint`, or None if its app has no such path.

    Apps other than Kling's accept any input and return a video.
    """
    if app_of(endpoint) not in KLING_APPS:
        return SimulatedEndpoint(checked=False)
    path = endpoint.partition("/")[2]
    for pattern, required, outputs in _SHAPES:
        if re.search(pattern, path):
            return SimulatedEndpoint(
                required=tuple(required.split()),
                durations=_durations(path),
                outputs=tuple(outputs.split()),
            )
    return None


def _durations(path: str) -> tuple[str | int, ...]:
    if path.startswith("v4/"):
        return tuple(range(3, 31))  # whole numbers since version 4, not strings
    longest: Mapping[str, int] = {"o1": 10, "v3": 15, "o3": 15}
    last = next((longest[part] for part in path.split("/") if part in longest), None)
    return tuple(map(str, range(3, last + 1))) if last else _FIVE_OR_TEN


def input_errors(endpoint: SimulatedEndpoint, arguments: object) -> list[dict[str, Any]]:
    """Return fal's error objects for invalid `arguments`; an empty list if they are valid."""
    if not isinstance(arguments, dict):
        message = "Input should be a valid dictionary"
        return [error_detail("dict_type", field=None, message=message, value=arguments)]
    return list(_argument_errors(endpoint, arguments)) if endpoint.checked else []


def _argument_errors(
    endpoint: SimulatedEndpoint, arguments: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    for names in endpoint.required:
        if not any(arguments.get(name) for name in names.split("|")):
            first = names.split("|")[0]
            yield error_detail("missing", field=first, message="Field required", value=arguments)
    for name, choices in (("duration", endpoint.durations), ("aspect_ratio", RATIOS)):
        if name in arguments and arguments[name] not in choices:
            message = f"must be one of {', '.join(map(repr, choices))}"
            error = error_detail("one_of", field=name, message=message, value=arguments[name])
            yield error | {"ctx": {"expected": list(choices)}}
    yield from _bounds(arguments)
    yield from _texts(arguments)


def _bounds(arguments: dict[str, Any]) -> Iterator[dict[str, Any]]:
    match arguments.get("cfg_scale", 0.5):
        case bool() | str() | list() | dict() as value:
            message = "Input should be a valid number"
            yield error_detail("float_type", field="cfg_scale", message=message, value=value)
        case int() | float() as value if value < 0:
            message = "Input should be greater than or equal to 0"
            yield error_detail(
                "greater_than_equal", field="cfg_scale", message=message, value=value
            )
        case int() | float() as value if value > 1:
            message = "Input should be less than or equal to 1"
            yield error_detail("less_than_equal", field="cfg_scale", message=message, value=value)


def _texts(arguments: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, value in arguments.items():
        if name.endswith("prompt") and not isinstance(value, str | list | None):
            message = "Input should be a valid string"
            yield error_detail("string_type", field=name, message=message, value=value)
        elif name in {"prompt", "negative_prompt"} and isinstance(value, str):
            if len(value) > _MAX_PROMPT:
                message = f"String should have at most {_MAX_PROMPT} characters"
                yield error_detail("string_too_long", field=name, message=message, value=value)
        elif name.endswith("_url") and not _fetchable(value):
            message = "Failed to download the file. Please check if the URL is accessible."
            yield error_detail("file_download_error", field=name, message=message, value=value)


def _fetchable(value: object) -> bool:
    if value is None:
        return True
    if not isinstance(value, str):
        return False
    return value.startswith("data:") or (
        value.startswith(("https://", "http://")) and len(value) <= _MAX_URL
    )


def requested_seconds(arguments: object) -> int:
    """Return the requested duration in seconds; fal's default is 5."""
    match arguments:
        case {"duration": str(text)} if text.isdecimal() and int(text) > 0:
            return int(text)
        case {"duration": int(number)} if number > 0:
            return number
    return 5


def requested_ratio(arguments: object) -> str:
    """Return the requested aspect ratio; fal's default is 16:9."""
    match arguments:
        case {"aspect_ratio": str(text)} if text in RATIOS and text != "auto":
            return text
    return "16:9"
