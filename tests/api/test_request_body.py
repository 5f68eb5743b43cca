"""Bodies: strict JSON within bounds."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.problems import ProblemError
from api.request_body import parse_json

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3),
    max_leaves=10,
)


@given(value=JSON)
def test_json_is_read_as_it_was_written(value: object) -> None:
    """Every JSON value is read unchanged."""
    assert value == parse_json(json.dumps(value).encode())


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "line 1, column 1"),
        (b"{", "line 1, column 2"),
        (b"\xff", "UTF-8"),
        (b'{"a": 1, "a": 2}', "a name twice"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1e999}', "too large"),
        (b"1" * 5000, "too large"),
        (b"[" * 100_000, "too large"),
        (b"[" * 65 + b"]" * 65, "64 levels"),
        (b'{"a": 1} x', "Extra data"),
    ],
)
def test_what_readers_disagree_about_is_refused(body: bytes, words: str) -> None:
    """A body that is not strict JSON is one problem, which says where or what."""
    with pytest.raises(ProblemError) as refused:
        parse_json(body)
    assert ("bad_json", 400) == (refused.value.code, refused.value.kind.status)
    assert words in refused.value.detail


@given(body=st.binary(max_size=60))
def test_no_body_is_a_defect(body: bytes) -> None:
    """Any bytes are a value or a problem."""
    try:
        parse_json(body)
    except ProblemError as problem:
        assert "bad_json" == problem.code
