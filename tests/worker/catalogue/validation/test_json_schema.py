"""Arguments are validated against everything that fal's description says."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.factories.openapi import of, read, taking
from worker.catalogue.endpoint import Endpoint
from worker.catalogue.errors import BrokenCatalogue, InvalidArguments
from worker.catalogue.openapi.description import InvalidOpenApi
from worker.catalogue.validation.json_schema import RequestSchema

TEXT = {"type": "string"}
SIZE = {
    "type": "object",
    "required": ["width"],
    "properties": {"width": {"type": "integer", "multipleOf": 8}},
    "additionalProperties": False,
}
PRESETS = {"type": "string", "enum": ["square", "portrait"]}
EITHER = [{"required": ["a"]}, {"required": ["b"]}]
OBJECT = {"type": "object", "properties": {"a": TEXT, "b": TEXT}}


def _problems(model: Endpoint, arguments: Any) -> list[str]:
    try:
        model.check(arguments)
    except InvalidArguments as invalid:
        return [str(problem) for problem in invalid.problems]
    return []


@pytest.mark.parametrize(
    ("schema", "valid", "invalid", "sentence"),
    [
        ({**TEXT, "pattern": "^[A-Z]+$"}, "AB", "ab",
         'given "ab": must match the pattern ^[A-Z]+$'),
        ({**TEXT, "pattern": "^(?!no)"}, "yes", "no", "must match the pattern"),
        ({"type": "integer", "multipleOf": 8}, 16, 9, "given 9: must be a multiple of 8"),
        ({"type": "number", "multipleOf": 0.01}, 0.07, 0.075, "must be a multiple of 0.01"),
        ({"type": "boolean", "const": True}, True, False, "given false: must be true"),
        ({**TEXT, "format": "date"}, "2026-02-28", "2026-02-30", "must be a date such as"),
        ({**TEXT, "format": "byte"}, "aGk=", "a b", "must be base64"),
        ({**TEXT, "format": "uuid"}, "0190b7a2-0000-7000-8000-000000000000", "x", "must be a UUID"),
        ({"type": "array", "items": {"type": "number"}, "uniqueItems": True}, [1, 2], [1, 1],
         "must not have the same item twice"),
        ({"type": "array", "items": {"type": "number", "multipleOf": 2}}, [2], [2, 3],
         "given[1] 3: must be a multiple of 2"),
        ({"type": "array", "items": TEXT, "contains": {"const": "x"}}, ["x"], ["y"],
         "must have an item that"),
        ({"type": "object", "minProperties": 1, **OBJECT}, {"a": "x"}, {},
         "must have at least 1 members"),
        ({"anyOf": [SIZE, PRESETS]}, {"width": 8}, 3,
         'given 3: must be an object, or one of "square", "portrait"'),
        ({"anyOf": [SIZE, PRESETS]}, "square", {"width": 9},
         "given.width 9: must be a multiple of 8"),
        ({"anyOf": [SIZE, PRESETS]}, "portrait", {"width": 8, "widht": 1},
         "given.widht: is not accepted here; did you mean width?"),
        ({"oneOf": [SIZE, PRESETS]}, "portrait", {}, "given.width: is required"),
        ({"oneOf": [{"type": "integer"}, {"type": "number", "minimum": 2}]}, 1, 3,
         "must fit only one of 2 forms, but fits several"),
        (OBJECT | {"anyOf": EITHER}, {"b": "x"}, {},
         "must be an object with a, or an object with b"),
        (OBJECT | {"oneOf": EITHER}, {"b": "x"}, {"a": "x", "b": "y"},
         "must fit only one of 2 forms"),
        (OBJECT | {"not": {"required": ["a", "b"]}}, {"a": "x"}, {"a": "x", "b": "y"},
         "must not have a together with b"),
        ({**TEXT, "not": {"enum": ["no"]}}, "yes", "no", 'must not be one of "no"'),
        (OBJECT | {"dependentRequired": {"a": ["b"]}}, {"b": "x"}, {"a": "x"},
         "given.b: is required"),
        (OBJECT | {"dependencies": {"a": ["b"]}}, {"b": "x"}, {"a": "x"}, "given.b: is required"),
        (OBJECT | {"if": {"required": ["a"]}, "then": {"required": ["b"]}}, {}, {"a": "x"},
         "given.b: is required"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {"a": 1}, {"a": "x"},
         'given.a (1 character): must be a whole number'),
        ({"type": "object", "propertyNames": {"maxLength": 2}}, {"ab": 1}, {"abc": 1},
         'must not have a member "abc", whose name must have at most 2 characters'),
        ({"type": "array", "items": [{"type": "integer"}, TEXT]}, [1, "a"], ["a"],
         "given[0]"),
        ({"type": "array", "items": {"type": "array", "items": TEXT}}, [["a"]], [[1]],
         "given[0][0] 1: must be a string"),
        ({"type": ["string", "integer"]}, 3, True, "must be a whole number or a string"),
        ({"type": "number", "minimum": 0, "exclusiveMinimum": True}, 1, 0, "given 0"),
        ({"anyOf": [{"type": "number", "maximum": 3, "exclusiveMaximum": True}, PRESETS]}, 2.5, 3,
         "given 3: must be below 3"),
        ({"anyOf": [{"type": "number"}, PRESETS], "nullable": True}, None, "squar", "must be"),
    ],
)  # fmt: skip
def test_every_keyword_is_validated(
    tmp_path: Path, schema: Any, valid: Any, invalid: Any, sentence: str
) -> None:
    """A valid value passes unchanged; an invalid one is named with the requirement."""
    model = of(tmp_path, **schema)
    assert {"given": valid} == model.check({"given": valid})
    found = _problems(model, {"given": invalid})
    assert 1 == len(found), found
    assert sentence in found[0]


@pytest.mark.parametrize(
    ("keywords", "valid", "invalid"),
    [
        ({"anyOf": EITHER}, {"b": "x"}, {"c": "x"}),
        ({"oneOf": EITHER, "minProperties": 2}, {"a": "x", "c": "y"}, {"a": "x"}),
        ({"dependentRequired": {"a": ["b"]}}, {"b": "x"}, {"a": "x"}),
        ({"not": {"required": ["a", "c"]}}, {"a": "x"}, {"a": "x", "c": "y"}),
        ({"maxProperties": 1}, {"a": "x"}, {"a": "x", "c": "y"}),
    ],
)
def test_what_holds_for_all_inputs_together_is_validated(
    tmp_path: Path, keywords: Any, valid: Any, invalid: Any
) -> None:
    """One problem names the inputs or, for all of them, the arguments."""
    model = read(tmp_path, taking({"a": TEXT, "b": TEXT, "c": TEXT}, **keywords))
    assert valid == model.check(valid)
    assert 1 == len(_problems(model, invalid))


def test_a_problem_is_reported_once(tmp_path: Path) -> None:
    """The sentence of the declared input is preferred to that of the schema."""
    schema = {"type": "integer", "minimum": 1, "multipleOf": 2}
    model = read(tmp_path, taking({"n": schema, "m": schema}))
    assert ["n 0: must be a whole number of at least 1", "m 3: must be a multiple of 2"] == (
        _problems(model, {"n": 0, "m": 3})
    )


def test_a_prompt_is_never_shown(tmp_path: Path) -> None:
    """Only its length appears, like in every other error."""
    model = read(tmp_path, taking({"prompt": {**TEXT, "pattern": "^A"}}))
    (problem,) = _problems(model, {"prompt": "a secret"})
    assert "prompt (8 characters): must match the pattern ^A" == problem


def test_files_and_durations_are_validated_as_fal_receives_them(tmp_path: Path) -> None:
    """Uploads and data URIs do not have to fit limits of addresses; numbers become seconds."""
    image = {**TEXT, "format": "uri", "maxLength": 60, "pattern": "^https://"}
    duration = {**TEXT, "enum": ["4", "8"]}
    model = read(tmp_path, taking({"image_url": image, "duration": duration}))
    for address in (f"upload://{'a' * 64}.png", f"data:image/png;base64,{'A' * 90}"):
        assert "8" == model.check({"image_url": address, "duration": 8})["duration"]
    assert [] == _problems(model, {"image_url": "https://a.example/ü.png"})
    assert 1 == len(_problems(model, {"image_url": "http://a.example/x.png"}))


def test_references_are_resolved_within_the_description(tmp_path: Path) -> None:
    """A component may refer to itself and to any other part of the document."""
    tree = {"type": "object", "properties": {"leaf": {"$ref": "#/components/schemas/Tree"},
            "kind": {"$ref": "#/components/x-kinds/a~1b"}}}  # fmt: skip
    document = taking({"tree": {"$ref": "#/components/schemas/Tree"}})
    document["components"]["schemas"]["Tree"] = tree
    document["components"]["x-kinds"] = {"a/b": {"enum": ["oak", "elm"]}}
    model = read(tmp_path, document)
    good = {"tree": {"leaf": {"leaf": {"kind": "oak"}}}}
    assert good == model.check(good)
    (problem,) = _problems(model, {"tree": {"leaf": {"leaf": {"kind": "elf"}}}})
    assert 'tree.leaf.leaf.kind "elf": must be one of "oak", "elm"; did you mean "elm"?' == problem


@pytest.mark.parametrize(
    "reference",
    ["https://127.0.0.1:9/x.json", "file:///etc/passwd", "other.json", "#/no/such", "#anchor"],
)
def test_references_to_elsewhere_are_refused(tmp_path: Path, reference: str) -> None:
    """Nothing is fetched: the description is refused by the name of the reference."""
    with pytest.raises(InvalidOpenApi, match="refers to"):
        of(tmp_path, anyOf=[TEXT, {"$ref": reference}])


@pytest.mark.parametrize(
    "schema",
    [{**TEXT, "pattern": "("}, {"anyOf": [{"type": "strin"}, TEXT]}, {"anyOf": [{"minimum": "x"}]}],
)
def test_an_invalid_schema_is_refused_when_it_is_added(tmp_path: Path, schema: Any) -> None:
    """The sentence names the keyword's fault."""
    with pytest.raises(InvalidOpenApi, match=r"is invalid at .*given"):
        of(tmp_path, **schema)


def test_an_invalid_schema_in_a_file_is_a_broken_catalogue() -> None:
    """It is not a fault of the arguments."""
    with pytest.raises(BrokenCatalogue, match="JSON Schema"):
        RequestSchema(keywords={"type": "strin"}).problems({}, ())


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(?=(a+)+b)(a|aa)+$", r"^(a|a)*\1$"])
def test_a_pattern_has_bounded_time(tmp_path: Path, pattern: str) -> None:
    """Patterns that take exponential time elsewhere end here with a problem."""
    model = of(tmp_path, type="string", pattern=pattern)
    started = time.monotonic()
    assert 1 == len(_problems(model, {"given": "a" * 5000 + "!"}))
    assert time.monotonic() - started < 10


def test_deep_arguments_are_refused(tmp_path: Path) -> None:
    """A recursive schema does not exhaust the stack."""
    document = taking({"tree": {"$ref": "#/components/schemas/Tree"}})
    properties = {"leaf": {"$ref": "#/components/schemas/Tree"}}
    document["components"]["schemas"]["Tree"] = {"type": "object", "properties": properties}
    model = read(tmp_path, document)
    tree: dict[str, Any] = {}
    for _ in range(500):
        tree = {"leaf": tree}
    assert ["arguments: must not nest deeper than 100 levels"] == _problems(model, {"tree": tree})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(value=JSON)
@settings(max_examples=80, deadline=None)
def test_any_value_passes_unchanged_or_is_named(
    tmp_path_factory: pytest.TempPathFactory, value: Any
) -> None:
    """Whatever is passed, the outcome is the same value or printable problems."""
    document = taking({"given": {"anyOf": [SIZE, PRESETS, {"type": "array", "items": TEXT}]}})
    model = read(tmp_path_factory.mktemp("own"), document)
    try:
        assert {"given": value} == model.check({"given": value})
    except InvalidArguments as invalid:
        assert all(str(problem).isprintable() for problem in invalid.problems)
    else:
        json.dumps(value, allow_nan=False)
