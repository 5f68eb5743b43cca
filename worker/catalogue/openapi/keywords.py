"""The keywords of a JSON schema for one value, as a field of the catalogue.

https://json-schema.org/draft/2020-12/json-schema-validation and OpenAPI 3.0, whose
`exclusiveMinimum: true` opens the bound beside it. A field checks less than a schema can say; what
it leaves out is told in `unchecked`.
"""

import math
from collections.abc import Mapping
from typing import Any, Literal

from worker.catalogue.inputs import InputType

Json = Mapping[str, Any]
Form = dict[str, Any]

_PLAIN = {"integer": InputType.INTEGER, "number": InputType.NUMBER, "boolean": InputType.BOOLEAN}
_WORDS = frozenset({"prompt", "text", "lyrics", "script"})
# Every keyword that restricts a value: what is not in here says something about it, no more.
RESTRICTING = (
    *("anyOf", "oneOf", "allOf", "then", "else", "dependentSchemas", "dependencies"),
    *("enum", "const", "pattern", "format", "minLength", "maxLength", "contentMediaType", "not"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minItems", "maxItems", "uniqueItems", "contains", "prefixItems", "if"),
    *("minProperties", "maxProperties", "dependentRequired", "propertyNames"),
    *("patternProperties", "unevaluatedProperties", "contentEncoding"),
)
_BOUNDS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})
# https://spec.openapis.org/oas/v3.0.4#data-types : sizes in memory, which restrict no JSON.
_SIZES = frozenset({"int32", "int64", "float", "double"})


def string(name: str, schema: Json) -> Form:
    """A string: one of a few, an address, a length in seconds, words, or any."""
    if choices := _choices(schema, str):
        seconds = name.endswith("duration") and all(value.isdecimal() for value in choices)
        kind = InputType.SECONDS if seconds else InputType.STRING
        left = unchecked(schema, {"enum", "const", "minLength", "maxLength"})
        return {"type": kind.value, "choices": choices, "unchecked": left}
    words = name.lower().split("_")
    if schema.get("format") == "uri" or words[-1] in {"url", "urls", "uri"}:
        left = unchecked(schema, {"maxLength", "format"})
        return {
            "type": InputType.URL.value,
            "max_length": schema.get("maxLength"),
            "unchecked": left,
        }
    kind = InputType.TEXT if _WORDS & set(words) else InputType.STRING
    lengths = {"min_length": schema.get("minLength"), "max_length": schema.get("maxLength")}
    left = unchecked(schema, {"minLength", "maxLength"})
    return {"type": kind.value, **lengths, "unchecked": left}


def plain(schema: Json) -> Form:
    """An integer, a number or a boolean with its bounds."""
    kind = _PLAIN[schema["type"]]
    if kind is InputType.BOOLEAN:
        return {"type": kind.value, "unchecked": unchecked(schema, set())}
    numbers: tuple[type, ...] = (int,) if kind is InputType.INTEGER else (int, float)
    choices = _choices(schema, *numbers)
    checked = _BOUNDS | ({"enum", "const"} if choices else set())
    checked |= {"format"} if schema.get("format") in _SIZES else set()
    bounds = {**_bound(schema, "minimum"), **_bound(schema, "maximum")}
    return {
        "type": kind.value,
        **(_whole(bounds) if kind is InputType.INTEGER else bounds),
        "choices": choices or None,
        "unchecked": unchecked(schema, checked),
    }


def described(schema: Json, form: Form) -> Form:
    """The field with its default, an example and a description; without what is not known."""
    default = schema.get("default")
    textual = form["type"] in {InputType.SECONDS, InputType.STRING, InputType.TEXT}
    if isinstance(default, int | float) and textual and not isinstance(default, bool):
        default = str(default)  # seen in fal's descriptions: 5 as the default of a string
    if not isinstance(default, str | int | float | bool) or form.get("many"):
        default = None
    examples = schema.get("examples")
    form = {
        **form,
        "default": default,
        "example": examples[0] if isinstance(examples, list) and examples else None,
        "description": " ".join(str(schema.get("description") or schema.get("title", "")).split()),
    }
    return {key: value for key, value in form.items() if value is not None and value != []}


def unchecked(schema: Json, checked: set[str] | frozenset[str]) -> list[str]:
    """The keywords that restrict the value and are not among those that are checked."""
    found = [key for key in RESTRICTING if key in schema and key not in checked]
    # As a schema it says what others have to be; true and false are checked.
    others = schema.get("additionalProperties")
    return found + (["additionalProperties"] if isinstance(others, Mapping) and others else [])


def additional(schema: Json) -> Form:
    """Whether an object takes other members than its properties, as a part of its form.

    A schema that does not say so takes them too, by the standard; fal's say nothing and mean no.
    """
    return {"additional": True} if schema.get("additionalProperties", False) is not False else {}


def typed_alike(schema: Json) -> Json:
    """The schema with one type where it lists null as another, or where its choices tell it."""
    kinds = schema.get("type")
    if isinstance(kinds, list):
        kinds = [kind for kind in kinds if kind != "null"]
        return {**schema, "type": kinds[0]} if len(kinds) == 1 else schema
    if kinds is not None:
        return schema
    found = next((kind for kind, types in _JSON_TYPES.items() if _choices(schema, *types)), None)
    return {**schema, "type": found} if found else schema


_JSON_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
}


def _choices(schema: Json, *types: type) -> list[Any]:
    """What the value has to be one of, if all of that is of these types; null is not sent."""
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    values = [value for value in values if value is not None]
    fit = all(isinstance(value, types) and not isinstance(value, bool) for value in values)
    return values if fit else []


def _bound(schema: Json, end: Literal["minimum", "maximum"]) -> Form:
    bound, exclusive = schema.get(end), schema.get(f"exclusive{end.capitalize()}")
    if exclusive is True:
        return {f"exclusive_{end}": bound}
    if exclusive is None or exclusive is False:
        return {end: bound}
    return {end: bound, f"exclusive_{end}": exclusive}


def _whole(bounds: Form) -> Form:
    """The bounds as the last whole numbers within them."""
    least = [math.ceil(low) for low in [bounds.get("minimum")] if low is not None]
    least += [math.floor(low) + 1 for low in [bounds.get("exclusive_minimum")] if low is not None]
    most = [math.floor(high) for high in [bounds.get("maximum")] if high is not None]
    most += [math.ceil(high) - 1 for high in [bounds.get("exclusive_maximum")] if high is not None]
    return {"minimum": max(least, default=None), "maximum": min(most, default=None)}
