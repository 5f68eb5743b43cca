"""Each nested schema of a description becomes its own type, whatever its title."""

from pathlib import Path
from typing import Any

from tests.factories.openapi import read, taking
from worker.catalogue.endpoint import Endpoint

TEXT, NUMBER = {"type": "string"}, {"type": "number"}


def titled(title: str, **properties: Any) -> Any:
    """Return a schema of an object with this title."""
    return {"title": title, "type": "object", "properties": properties}


def types(model: Endpoint) -> dict[str, tuple[str, list[str]]]:
    """Return the type and its members for each input."""
    return {
        item.name: (item.nested_type, [member.name for member in item.nested])
        for item in model.inputs
    }


def test_components_of_one_title_are_two_types(tmp_path: Path) -> None:
    """A type has the name of its component, which is unique."""
    document = taking(
        {name: {"$ref": f"#/components/schemas/{name.title()}"} for name in ("first", "second")}
    )
    document["components"]["schemas"] |= {
        "First": titled("Options", strength=NUMBER),
        "Second": titled("Options", style=TEXT),
    }
    expected = {"first": ("First", ["strength"]), "second": ("Second", ["style"])}
    assert expected == types(read(tmp_path, document))


def test_inline_schemas_of_one_title_are_two_types(tmp_path: Path) -> None:
    """The same schema in several places remains one type."""
    first, second = titled("Options", strength=NUMBER), titled("Options", style=TEXT)
    model = read(tmp_path, taking({"a": first, "b": second, "c": first}))
    expected = {
        "a": ("Options", ["strength"]),
        "b": ("Options 2", ["style"]),
        "c": ("Options", ["strength"]),
    }
    assert expected == types(model)


def test_a_component_that_is_extended_is_another_type(tmp_path: Path) -> None:
    """An extension applies only where it is written."""
    frame = {"$ref": "#/components/schemas/Size"}
    wider = {"allOf": [frame, {"properties": {"depth": NUMBER}}]}
    result = types(read(tmp_path, taking({"a": frame, "b": wider})))
    assert ("Size", ["width", "height"]) == result["a"]
    assert ("Size 2", ["width", "height", "depth"]) == result["b"]


def test_a_name_with_a_colon_is_a_name(tmp_path: Path) -> None:
    """It is not required just because it ends with a required name."""
    model = read(tmp_path, taking({"x": TEXT, "a:x": TEXT, "b:x": TEXT}, required=["x", "b:x"]))
    expected = {"x": True, "a:x": False, "b:x": True}
    assert expected == {item.name: item.required for item in model.inputs}
