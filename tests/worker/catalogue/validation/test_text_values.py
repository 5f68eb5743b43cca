"""Text from a command line or a spreadsheet is converted to the value of an input."""

import pytest

from worker.catalogue.validation.text_values import typed

POINTS = '[{"x": 1, "y": 2, "label": 1}]'


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("prompt", POINTS, POINTS),
        ("negative_prompt", '{"a": 1}', '{"a": 1}'),
        ("prompt", "2024", "2024"),
        ("text", "2024", "2024"),
        ("lyrics", "[verse] la la", "[verse] la la"),
        ("prompts", POINTS, [{"x": 1, "y": 2, "label": 1}]),
        ("multi_prompt", '[{"prompt": "a"}]', [{"prompt": "a"}]),
        ("captions", '{"a": 1}', {"a": 1}),
        ("seed", "7", 7),
        ("seed", "[" * 100_000, "[" * 100_000),
    ],
)
def test_an_input_that_no_schema_describes(name: str, text: str, expected: object) -> None:
    """Lists and objects are JSON except in a prompt; other prose stays text, the rest is JSON."""
    assert expected == typed(None, name, text)
