"""fal's error messages: one reason code, one sentence, never the input."""

import json
import string
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.fal.errors import MAX_CHARACTERS, RETRYABLE, error_text, read_error, retry_after
from worker.types import Json

JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("error", "payload", "reason", "sentence"),
    [
        (
            "Invalid status code: 422",
            {"detail": [{"loc": ["body", "prompt"], "msg": "field required", "type": "missing"}]},
            "missing",
            "prompt: field required",
        ),
        (
            None,
            {"detail": "No runner became available", "error_type": "runner_scheduling_failure"},
            "runner_scheduling_failure",
            "No runner became available",
        ),
        (None, {"detail": "Something"}, "render_failed", "Something"),
        ("boom", None, "render_failed", "boom"),
        (None, {}, "render_failed", "fal gave no reason"),
        ("boom", "text", "render_failed", "boom"),
        (None, {"detail": [{"type": "a b; c", "msg": "m"}]}, "invalid_input", "m"),
        (None, {"detail": ["plain"]}, "invalid_input", "plain"),
        ({"message": "x"}, {}, "render_failed", "x"),
        ({"message": "x", "type": "gpu_lost"}, {}, "gpu_lost", "x"),
        (["a", {"msg": "b"}], None, "render_failed", "a; b"),
        (502, None, "render_failed", "502"),
        (None, "only a text", "render_failed", "only a text"),
        (None, {"detail": {"message": "no faces", "type": "no_face"}}, "no_face", "no faces"),
        (None, {"detail": {"error": {"message": "deep"}}}, "render_failed", "deep"),
        ("code 500", {"error": {"message": "GPU lost"}}, "render_failed", "GPU lost"),
        (None, {"detail": {"input": "a secret prompt"}}, "render_failed", "fal gave no reason"),
        (None, {"detail": [7, None]}, "invalid_input", "7; unspecified"),
    ],
)
def test_each_shape_has_a_reason_and_a_sentence(
    error: Json, payload: Json, reason: str, sentence: str
) -> None:
    """Both of fal's body shapes, and any other body, give one reason code and one sentence."""
    render_error = read_error(error, payload)
    assert (reason, sentence) == (render_error.reason, render_error.sentence)


def test_retryable_errors_are_marked() -> None:
    """fal's own errors are worth another render, errors of the input are not."""
    retryable = {
        kind: read_error(None, {"detail": [{"type": kind}]}).retryable for kind in RETRYABLE
    }
    assert {True} == set(retryable.values())
    assert not read_error(None, {"detail": [{"type": "content_policy_violation"}]}).retryable


@given(st.text(alphabet=string.ascii_letters, min_size=12))
def test_the_input_is_never_echoed(prompt: str) -> None:
    """Neither the reason code nor the sentence contains input that fal echoes."""
    secret = f"SECRET{prompt}"
    detail: dict[str, Json] = {
        "loc": ["body", "prompt"],
        "msg": "too long",
        "type": "string_too_long",
        "input": secret,
        "ctx": {"given": secret},
        "url": f"https://x/{secret}",
    }
    render_error = read_error("Invalid status code: 422", {"detail": [detail]})
    assert "SECRET" not in render_error.reason + render_error.sentence


@given(JSON, JSON)
def test_any_payload_becomes_a_valid_error(error: Json, payload: Json) -> None:
    """Any body gives a reason code and one line of at most MAX_CHARACTERS."""
    render_error = read_error(error, payload)
    assert len(render_error.sentence) <= MAX_CHARACTERS
    assert render_error.reason.replace("_", "").isalnum()
    assert "\n" not in render_error.sentence
    assert render_error.sentence.encode()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("", None),
        ("-1", None),
        ("Fri, 31 Dec 1999", None),
        ("٣", None),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0.0),
        ("Fri, 31 Dec 1999 23:59:59", None),
        ("31 Dec 2200000000 0:0 GMT", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    """Seconds and complete dates count, a past date as 0; any other value does not."""
    assert seconds == retry_after(httpx.Headers({b"retry-after": value.encode()}))


def test_retry_after_a_date() -> None:
    """A date in the future counts as the seconds until then."""
    date = format_datetime(datetime.now(UTC) + timedelta(minutes=2), usegmt=True)
    assert pytest.approx(120, abs=5) == retry_after(httpx.Headers({"Retry-After": date}))


@pytest.mark.parametrize(
    ("response", "text"),
    [
        (httpx.Response(403, content=json.dumps({"detail": "locked"})), "locked"),
        (httpx.Response(502, content="<html>"), "Bad Gateway"),
        (httpx.Response(599, content=""), "no reason given"),
    ],
)
def test_text_of_an_error_answer(response: httpx.Response, text: str) -> None:
    """An error answer gives its own message, else the name of its status."""
    assert text == error_text(response)
