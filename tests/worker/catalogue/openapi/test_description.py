"""fal's description of an endpoint becomes an entry that validates like a packaged one."""

import json
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.factories.openapi import DOCUMENT, ENDPOINT, of, read
from worker.catalogue.catalogue import Catalogue
from worker.catalogue.errors import InvalidArguments, RequestRejected
from worker.catalogue.examples import rows
from worker.catalogue.files import build, reader
from worker.catalogue.inputs import InputType
from worker.catalogue.openapi import description

FRAMES = [{"image_url": "https://example.com/a.png"}]


def test_inputs_with_their_types_and_bounds(tmp_path: Path) -> None:
    """Order, kinds, defaults and ranges are read; an inexpressible schema accepts any JSON."""
    model = read(tmp_path)
    inputs = {item.name: item for item in model.inputs}
    kinds = {name: item.kind for name, item in inputs.items()}
    expected = {
        "prompt": InputType.TEXT,
        "frames": InputType.OBJECT,
        "duration": InputType.SECONDS,
        "strength": InputType.NUMBER,
        "steps": InputType.INTEGER,
        "seed": InputType.INTEGER,
        "image_size": InputType.ANY,
        "audio_url": InputType.URL,
        "style": InputType.STRING,
        "loop": InputType.BOOLEAN,
    }
    assert expected == kinds
    assert list(expected) == list(kinds)
    assert ("4", "What it shows") == (inputs["duration"].default, inputs["prompt"].description)
    assert (1, 50) == (inputs["steps"].minimum, inputs["steps"].maximum)
    outputs = {"seed": "integer", "video": "file", "stills": "list<file>"}
    assert {name: f"optional<{kind}>" for name, kind in outputs.items()} == model.outputs
    assert ("a test",) == model.sources


def test_it_validates_like_a_packaged_one(tmp_path: Path) -> None:
    """Valid arguments pass and invalid ones are named, nested ones too."""
    model = read(tmp_path)
    good = {"prompt": "a", "frames": FRAMES, "duration": 8, "image_size": {"width": 3}}
    assert good | {"duration": "8"} == model.check(good)
    bad = {"prompt": "x" * 21, "frames": [{"img": 1}], "steps": 0, "style": "noirr", "loop": 1}
    with pytest.raises(InvalidArguments) as caught:
        model.check(bad)
    paths = {problem.path for problem in caught.value.problems}
    expected = {"prompt", "frames[0].img", "frames[0].image_url", "steps", "style", "loop"}
    assert expected == paths


def test_its_example_passes(tmp_path: Path) -> None:
    """The command that `models show` prints works for it."""
    model = read(tmp_path)
    assert model.example() == model.check(model.example())


def test_the_shared_inputs_of_the_catalogue_stay(tmp_path: Path) -> None:
    """The entry's field names are unique, so its limits do not affect other endpoints."""
    read(tmp_path)
    kling = Catalogue.load(tmp_path).find("fal-ai/kling-video/v2.1/master/text-to-video")
    assert kling == Catalogue.load().find(kling.endpoint)


ENUM = {"type": "integer", "enum": [1, 2, 4]}
ABOVE_0 = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}


@pytest.mark.parametrize(
    ("schema", "accepted", "rejected", "allowed"),
    [
        (ENUM, [1, 4], [3, "1", True, 1.0], "one of 1, 2, 4"),
        ({"type": "number", "enum": [0.5, 2]}, [0.5, 2, 2.0], [1, "2"], "one of 0.5, 2"),
        ({"type": "array", "items": ENUM}, [[1, 2]], [[3]], "one of 1, 2, 4"),
        ({"type": "string", "const": "on"}, ["on"], ["off"], 'one of "on"'),
        ({"type": "integer", "const": 7}, [7], [8], "one of 7"),
        (ABOVE_0, [0.1, 1], [0, 0.0, 1.1, -1], "a finite number above 0 and at most 1"),
        (
            {"type": "number", "minimum": 0, "exclusiveMinimum": True, "exclusiveMaximum": 1},
            [0.5],
            [0, 1],
            "a finite number above 0 and below 1",
        ),
        (
            {"type": "integer", "minimum": 0.5, "exclusiveMaximum": 3},
            [1, 2],
            [0, 3],
            "a whole number of 1 to 2",
        ),
        ({"type": "string", "minLength": 3}, ["abc"], ["ab"], "a string of at least 3 characters"),
        ({"type": "array", "items": True}, [[1, "a"]], [{}], "any JSON value"),
    ],
)
def test_a_schema_is_not_loosened(
    tmp_path: Path, schema: Any, accepted: list[Any], rejected: list[Any], allowed: str
) -> None:
    """Choices, constants and exclusive bounds are enforced, shown and kept by the example."""
    model = of(tmp_path, **schema)
    assert allowed == model.inputs[0].allowed
    for value in accepted:
        assert {"given": value} == model.check({"given": value})
    for value in rejected:
        with pytest.raises(InvalidArguments, match="given"):
            model.check({"given": value})
    assert model.example() == model.check(model.example())


@pytest.mark.parametrize(
    ("schema", "unchecked"),
    [
        ({"type": "string", "contentEncoding": "base64"}, ["contentEncoding"]),
        ({"type": "string", "contentMediaType": "image/png", "pattern": "a"}, ["contentMediaType"]),
        ({"type": "string", "format": "colour"}, ["format"]),
        ({"type": "string", "format": "date"}, []),
        ({"type": "array", "items": {"type": "string", "format": "colour"}}, ["format"]),
        ({"type": "integer", "multipleOf": 8, "format": "int32"}, []),
    ],
)
def test_what_no_validator_asserts_is_listed(
    tmp_path: Path, schema: Any, unchecked: list[str]
) -> None:
    """These are the keywords about a string's content, and formats of fal's own."""
    assert unchecked == list(of(tmp_path, **schema).inputs[0].unchecked)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "maxLength": 5, "examples": ["much too long"]},
        {"type": "string", "minLength": 90, "title": "T"},
        {"type": "integer", "maximum": -3, "default": 5},
        {"type": "number", "exclusiveMinimum": 2, "exclusiveMaximum": 2.5},
        {"type": "number", "exclusiveMaximum": 0},
        {"type": "number", "exclusiveMinimum": 3, "default": 3},
        {"type": "array", "minItems": 2, "items": ENUM, "examples": [[1]]},
    ],
)
def test_an_example_that_breaks_its_own_schema_is_replaced(tmp_path: Path, schema: Any) -> None:
    """So is such a default: a valid value is shown instead."""
    model = of(tmp_path, **schema)
    assert model.example() == model.check(model.example())


KEYWORDS = st.sampled_from(
    [
        "anyOf",
        "allOf",
        "const",
        "default",
        "enum",
        "examples",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "format",
        "items",
        "maxItems",
        "maxLength",
        "maximum",
        "minItems",
        "minLength",
        "minimum",
        "pattern",
        "properties",
        "required",
        "$ref",
    ]
)
TYPES = ["string", "integer", "number", "boolean", "array", "object"]
SCHEMAS = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.floats() | st.sampled_from(TYPES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYWORDS, inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(TYPES), st.dictionaries(KEYWORDS, SCHEMAS, max_size=4))
def test_any_schema_becomes_an_input_or_is_rejected(kind: str, keywords: dict[str, Any]) -> None:
    """The input can be validated and shown; an unusable schema ends in a sentence."""
    document = deepcopy(DOCUMENT)
    request = document["components"]["schemas"]["DollyVideoInput"]
    request |= {"properties": {"given": {**keywords, "type": kind}}, "required": ["given"]}
    with suppress(RequestRejected):
        entry = description.entry(ENDPOINT, document, source="a test")
        tables = json.loads(json.dumps(entry))
        (model,) = build.models(reader.checked(tables, "a test"))
        assert rows(model.inputs)
        model.check(model.example())


def _without(*path: str) -> Any:
    document = deepcopy(DOCUMENT)
    inner = document
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    return document


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {"paths": []},
        _without("paths", f"/{ENDPOINT}"),
        _without("paths", f"/{ENDPOINT}/requests/{{request_id}}"),
        _without("components", "schemas", "DollyVideoInput"),
        _without("components", "schemas", "Style"),
        _without("components", "schemas", "DollyVideoInput", "properties"),
    ],
)
def test_an_invalid_description_is_rejected(document: Any) -> None:
    """One of another endpoint, or with missing parts, gives an error that names the endpoint."""
    with pytest.raises(description.InvalidOpenApi, match=ENDPOINT):
        description.entry(ENDPOINT, document, source="a test")
