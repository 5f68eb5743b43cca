"""The described outputs decide whether a result without a file is a failure."""

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
    """Strings, lists of strings and optional files are results without a file."""
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
def test_outputs_that_are_not_files(outputs: dict[str, str], needs_file: bool) -> None:
    """Types in catalogue files written by older versions give the same answer."""
    assert needs_file == Endpoint(endpoint="a/b", outputs=outputs).needs_file
