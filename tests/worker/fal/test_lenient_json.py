"""JSON that fal sent: one number that JSON does not have must not cost a paid result."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.fal.lenient_json import MAX_DEPTH, parse_lenient
from worker.types import Json


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": NaN, "b": [Infinity, -Infinity]}', {"a": None, "b": [None, None]}),
        ("1e999", None),
        ("9" * 5000, None),
        ("\ufeff[1.5]", [1.5]),
        ('"\u2028"', "\u2028"),
        ('{"a": 1, "a": 2}', {"a": 2}),
        ("[" * MAX_DEPTH + "]" * MAX_DEPTH, None),
    ],
)
def test_it_is_read_as_data(text: str, value: Json) -> None:
    """Numbers that JSON or Python cannot express are null; bytes and text are read alike."""
    read = parse_lenient(text.encode())
    assert value in (None, read)
    assert read == (parse_lenient(text) if text[0] != "\ufeff" else read)


@pytest.mark.parametrize("text", ["", "{", "nan", "[" * 201 + "]" * 201, '{"a":' * 100_000])
def test_what_is_not_json(text: str) -> None:
    """ValueError, however deep it nests."""
    with pytest.raises(ValueError):
        parse_lenient(text.encode())


@given(st.binary() | st.text())
def test_any_text_is_a_value_or_an_error(text: bytes | str) -> None:
    """What is read can be written again."""
    try:
        value = parse_lenient(text)
    except ValueError:
        return
    assert value == parse_lenient(json.dumps(value, allow_nan=False))
