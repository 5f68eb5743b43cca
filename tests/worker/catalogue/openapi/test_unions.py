"""Unions and `allOf` in a schema become choices, types and rules where they can."""

from pathlib import Path
from typing import Any

import pytest

from tests.factories.openapi import ENDPOINT, of, read, taking
from tests.worker.catalogue.openapi.test_inheritance import PACKAGED, described, model_of
from worker.catalogue.errors import InvalidArguments
from worker.catalogue.inputs import InputType
from worker.catalogue.openapi import description
from worker.catalogue.openapi.inheritance import inherit

_REF = "#/components/schemas/{}"
TEXT, FLAG = {"type": "string"}, {"type": "boolean"}
ON, OFF = {"const": "on"}, {"const": "off", "title": "Off"}
EITHER = [{"required": ["a"]}, {"required": ["b"]}]


@pytest.mark.parametrize(
    ("schema", "choices", "kind"),
    [
        ({"oneOf": [ON, OFF]}, ("on", "off"), InputType.STRING),
        ({"anyOf": [ON, OFF, {"type": "null"}]}, ("on", "off"), InputType.STRING),
        ({"type": "string", "anyOf": [ON, {"enum": ["dim"], "type": "string"}]}, ("on", "dim"),
         InputType.STRING),
        ({"oneOf": [{"const": 2}, {"const": 4}]}, (2, 4), InputType.INTEGER),
        ({"oneOf": [{"const": 0.5}, {"const": 1}]}, (0.5, 1), InputType.NUMBER),
        ({"type": ["integer", "null"], "enum": [1, None]}, (1,), InputType.INTEGER),
        ({"enum": ["a", "b"]}, ("a", "b"), InputType.STRING),
        ({"oneOf": [ON, {"const": 1}]}, (), InputType.ANY),
        ({"oneOf": [ON, TEXT]}, (), InputType.ANY),
    ],
)  # fmt: skip
def test_a_union_of_constants_is_a_choice(
    tmp_path: Path, schema: Any, choices: tuple[Any, ...], kind: InputType
) -> None:
    """This holds for every notation; constants of two types remain a union."""
    item = of(tmp_path, **schema).inputs[0]
    assert (kind, choices, ()) == (item.kind, item.choices, item.unchecked)


def test_the_parts_of_a_schema_are_joined(tmp_path: Path) -> None:
    """A component with additional members, or several components, become one type."""
    frame = {"$ref": "#/components/schemas/Frame"}
    named = {"type": "object", "required": ["name"], "properties": {"name": TEXT}}
    model = of(tmp_path, allOf=[frame, named, {"properties": {"loud": FLAG}}])
    members = {member.name: member.required for member in model.inputs[0].nested}
    assert {"image_url": True, "inner": False, "extra": False, "name": True, "loud": False} == (
        members
    )


@pytest.mark.parametrize("parts", [["Wide", "Named"], ["Named", "Wide"]])
def test_components_with_parts_are_joined(tmp_path: Path, parts: list[str]) -> None:
    """The parts of one component do not replace those of another."""
    document = taking({"given": {"allOf": [{"$ref": _REF.format(name)} for name in parts]}})
    document["components"]["schemas"] |= {
        "Wide": {"allOf": [{"$ref": _REF.format("Size")}, {"properties": {"depth": FLAG}}]},
        "Named": {"allOf": [{"type": "object", "properties": {"name": TEXT}}]},
    }
    (item,) = read(tmp_path, document).inputs
    assert {"width", "height", "depth", "name"} == {member.name for member in item.nested}


def test_both_bounds_of_a_contradicted_component_apply(tmp_path: Path) -> None:
    """The bound next to the reference is shown, and the component's is validated as well."""
    document = taking({"given": {"$ref": _REF.format("Code"), "maxLength": 3}})
    document["components"]["schemas"]["Code"] = {"type": "string", "maxLength": 2}
    model = read(tmp_path, document)
    assert 3 == model.inputs[0].max_length
    assert {"given": "ab"} == model.check({"given": "ab"})
    with pytest.raises(InvalidArguments, match="must have at most 2 characters"):
        model.check({"given": "abc"})


def test_exactly_one_of_several_inputs_is_a_rule(tmp_path: Path) -> None:
    """fal's descriptions express it as oneOf with one required name each."""
    model = read(tmp_path, taking({"a": TEXT, "b": TEXT, "c": TEXT}, oneOf=EITHER))
    assert ["exactly one of a, b"] == [rule.sentence for rule in model.rules]
    assert {"a": "x"} == model.check({"a": "x"})
    for given in ({}, {"a": "x", "b": "y"}):
        with pytest.raises(InvalidArguments, match="a or b"):
            model.check(given)


@pytest.mark.parametrize("names", [["prompt", "multi_prompt"], ["multi_prompt", "prompt"]])
def test_a_rule_that_the_package_also_has_appears_once(names: list[str]) -> None:
    """The order of its inputs in the description does not matter."""
    path = "fal-ai/kling-video/v3/turbo/pro/text-to-video"
    shots = {"type": "array", "items": TEXT}
    one_of = [{"required": [name]} for name in names]
    entry = described(path, {"prompt": TEXT, "multi_prompt": shots}, oneOf=one_of)
    model = model_of(inherit(entry, path, PACKAGED, None))
    assert [f"exactly one of {', '.join(names)}"] == [rule.sentence for rule in model.rules]


def test_recursive_references_end() -> None:
    """Such a schema has no type, and says nothing about the value."""
    document = taking({"a": {"$ref": "#/components/schemas/Loop"}})
    loop = {"allOf": [{"$ref": "#/components/schemas/Loop"}] * 2}
    document["components"]["schemas"]["Loop"] = loop
    entry = description.entry(ENDPOINT, document, source="a test")
    assert "any" == entry["fields"][f"{ENDPOINT}:a"]["type"]
