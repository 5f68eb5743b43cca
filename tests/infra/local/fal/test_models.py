"""The checks of the simulated models on their inputs."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.fal.models import find_endpoint, input_errors, requested_ratio, requested_seconds

_TEXT = "fal-ai/kling-video/v2.1/master/text-to-video"
_IMAGE = "fal-ai/kling-video/v2.1/master/image-to-video"
_V3 = "fal-ai/kling-video/v3/pro/image-to-video"


def _errors(endpoint: str, arguments: object) -> list[tuple[Any, ...]]:
    known = find_endpoint(endpoint)
    assert known is not None
    return [(error["type"], *error["loc"]) for error in input_errors(known, arguments)]


@pytest.mark.parametrize(
    ("endpoint", "arguments", "expected"),
    [
        (_TEXT, {"prompt": "a"}, []),
        (_TEXT, {"prompt": "a", "duration": "10", "aspect_ratio": "9:16", "cfg_scale": 1}, []),
        (_IMAGE, {"prompt": "a", "image_url": "https://x.example/a.png"}, []),
        (_V3, {"start_image_url": "data:image/png;base64,AA", "duration": "15"}, []),
        ("kling/v4/text-to-video", {"prompt": "a", "duration": 30}, []),
        (
            "kling/v4/text-to-video",
            {"prompt": "a", "duration": "30"},
            [("one_of", "body", "duration")],
        ),
        (_TEXT, {}, [("missing", "body", "prompt")]),
        (_IMAGE, {"prompt": "a"}, [("missing", "body", "image_url")]),
        (_TEXT, {"prompt": "a", "duration": 5}, [("one_of", "body", "duration")]),
        (_TEXT, {"prompt": "a", "duration": "7"}, [("one_of", "body", "duration")]),
        (_TEXT, {"prompt": "a", "aspect_ratio": "7:5"}, [("one_of", "body", "aspect_ratio")]),
        (_TEXT, {"prompt": "a", "cfg_scale": 2}, [("less_than_equal", "body", "cfg_scale")]),
        (_TEXT, {"prompt": "a", "cfg_scale": -1}, [("greater_than_equal", "body", "cfg_scale")]),
        (_TEXT, {"prompt": "a", "cfg_scale": "1"}, [("float_type", "body", "cfg_scale")]),
        (_TEXT, {"prompt": 7}, [("string_type", "body", "prompt")]),
        (_TEXT, {"prompt": "a" * 2501}, [("string_too_long", "body", "prompt")]),
        (
            _IMAGE,
            {"prompt": "a", "image_url": "file:///a.png"},
            [("file_download_error", "body", "image_url")],
        ),
        (_TEXT, ["prompt"], [("dict_type", "body")]),
        ("fal-ai/other/thing", {"anything": 1}, []),
    ],
)
def test_inputs_are_checked_like_fals_models(
    endpoint: str, arguments: object, expected: list[tuple[Any, ...]]
) -> None:
    """Each error has fal's type and location; valid input has none."""
    assert expected == _errors(endpoint, arguments)


def test_errors_echo_the_input() -> None:
    """An error contains the offending value, like fal's."""
    known = find_endpoint(_TEXT)
    assert known is not None
    (error,) = input_errors(known, {"prompt": "a", "duration": 7})
    assert (7, {"expected": ["5", "10"]}) == (error["input"], error["ctx"])


def test_an_unknown_path_of_a_kling_app_is_not_errors() -> None:
    """Only the real paths of Kling's apps exist."""
    assert find_endpoint("fal-ai/kling-video/v9/nothing") is None


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
_names = st.sampled_from(
    ["prompt", "negative_prompt", "duration", "aspect_ratio", "cfg_scale", "image_url"]
)


@given(arguments=st.dictionaries(_names, _json) | _json)
def test_any_input_can_be_checked(arguments: object) -> None:
    """Any JSON can be checked, and has a duration and an aspect ratio."""
    _errors(_IMAGE, arguments)
    assert requested_seconds(arguments) > 0
    assert ":" in requested_ratio(arguments)
