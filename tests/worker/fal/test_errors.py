"""fal's words about what went wrong: one reason, one sentence, never the input."""

import json
import string

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.fal.errors import MAX_WORDS, RETRYABLE, read_error, retry_after, words
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
    ],
)
def test_each_shape_has_a_reason_and_a_sentence(
    error: str | None, payload: Json, reason: str, sentence: str
) -> None:
    """Both of fal's body shapes, and what is neither, become one word and one sentence."""
    refusal = read_error(error, payload)
    assert (reason, sentence) == (refusal.reason, refusal.sentence)


def test_what_may_help_is_marked() -> None:
    """fal's own faults are worth another render, faults of the input are not."""
    helps = {kind: read_error(None, {"detail": [{"type": kind}]}).retryable for kind in RETRYABLE}
    assert {True} == set(helps.values())
    assert not read_error(None, {"detail": [{"type": "content_policy_violation"}]}).retryable


@given(st.text(alphabet=string.ascii_letters, min_size=12))
def test_the_input_is_never_echoed(prompt: str) -> None:
    """Whatever fal echoes of the input is in neither word nor sentence."""
    secret = f"SECRET{prompt}"
    detail: dict[str, Json] = {
        "loc": ["body", "prompt"],
        "msg": "too long",
        "type": "string_too_long",
        "input": secret,
        "ctx": {"given": secret},
        "url": f"https://x/{secret}",
    }
    refusal = read_error("Invalid status code: 422", {"detail": [detail]})
    assert "SECRET" not in refusal.reason + refusal.sentence


@given(st.none() | st.text(), JSON)
def test_any_payload_becomes_something_that_can_be_kept(error: str | None, payload: Json) -> None:
    """No body, however strange, breaks the reader or makes a line of more than MAX_WORDS."""
    refusal = read_error(error, payload)
    assert len(refusal.sentence) <= MAX_WORDS
    assert refusal.reason.replace("_", "").isalnum()
    assert "\n" not in refusal.sentence
    assert refusal.sentence.encode()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7.0), ("0", 0.0), ("", None), ("-1", None), ("Fri, 31 Dec 1999", None), ("٣", None)],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    """Seconds count, a date or nonsense does not."""
    assert seconds == retry_after({"retry-after": value})


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (httpx.Response(403, content=json.dumps({"detail": "locked"})), "locked"),
        (httpx.Response(502, content="<html>"), "Bad Gateway"),
        (httpx.Response(599, content=""), "no reason given"),
    ],
)
def test_words_of_an_answer(response: httpx.Response, said: str) -> None:
    """An error answer is told in its own words, or by what its status is called."""
    assert said == words(response)
