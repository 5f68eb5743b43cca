"""What a description says of a result decides whether a result without a file was paid in vain."""

from pathlib import Path
from typing import Any

import pytest

from tests.factories.openapi import giving, read
from worker.catalogue.endpoint import Endpoint

FILE = {"$ref": "#/components/schemas/File"}
TEXT = {"type": "string"}
OBJECTS = {"type": "array", "items": {"type": "object", "properties": {"from": TEXT}}}


@pytest.mark.parametrize(
    ("result", "required", "needs_file"),
    [
        ({"text": TEXT, "chunks": OBJECTS}, ["text", "chunks"], False),
        ({"words": {"type": "array", "items": TEXT}}, ["words"], False),
        ({"words": {"type": "array"}}, ["words"], False),
        ({"text": {"type": ["string", "null"]}}, ["text"], False),
        ({"text": TEXT, "preview": FILE}, ["text"], False),
        ({"preview": {"anyOf": [FILE, {"type": "null"}]}}, ["preview"], False),
        ({"preview": {"nullable": True, "allOf": [FILE]}}, ["preview"], False),
        ({"anything": {"anyOf": [TEXT, FILE]}}, ["anything"], False),
        ({}, [], False),
        ({"video": FILE, "seed": {"type": "integer"}}, ["video"], True),
        ({"frames": {"type": "array", "items": FILE}}, ["frames"], True),
        ({"rows": {"type": "array", "items": {"type": "array", "items": FILE}}}, ["rows"], True),
    ],
)
def test_a_file_is_needed_where_each_result_holds_one(
    tmp_path: Path, result: Any, required: list[str], needs_file: bool
) -> None:
    """Words, lists of words and files that may be missing are a result by themselves."""
    model = read(tmp_path, giving(result, required=required))
    assert needs_file == model.needs_file


@pytest.mark.parametrize(
    ("outputs", "needs_file"),
    [
        ({"chunks": "list<object>", "text": "string"}, False),
        ({"text": "['string', 'null']"}, False),
        ({"mesh": "glb"}, False),
        ({"images": "list<image>"}, True),
        ({"video": "file", "duration": "number"}, True),
        ({"sound": "optional<audio>"}, False),
    ],
)
def test_types_that_are_no_file_are_results_as_well(
    outputs: dict[str, str], needs_file: bool
) -> None:
    """So that files of a catalogue which were written before say the same."""
    assert needs_file == Endpoint(endpoint="a/b", outputs=outputs).needs_file
