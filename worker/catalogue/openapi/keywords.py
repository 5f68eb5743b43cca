"""Conversion of a JSON schema's keywords for one value into a field of the catalogue.

https://json-schema.org/draft/2020-12/json-schema-validation and OpenAPI 3.0, in which
`exclusiveMinimum: true` makes `minimum` exclusive. A field cannot express all keywords; the others
are validated by the JSON Schema of the whole request.
"""

import math
from collections.abc import Mapping
from typing import Any, Literal

from worker.catalogue.inputs import InputType

Json = Mapping[str, Any]
Form = dict[str, Any]

_SCALARS = {"integer": InputType.INTEGER, "number": InputType.NUMBER, "boolean": InputType.BOOLEAN}
_PROSE = frozenset({"prompt", "text", "lyrics", "script"})
# Every keyword that restricts a value; the others only describe it.
RESTRICTING = (
    *("anyOf", "oneOf", "allOf", "then", "else", "dependentSchemas", "dependencies"),
    *("enum", "const", "pattern", "format", "minLength", "maxLength", "contentMediaType", "not"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minItems", "maxItems", "uniqueItems", "contains", "prefixItems", "if"),
    *("minProperties", "maxProperties", "dependentRequired", "propertyNames"),
    *("patternProperties", "unevaluatedProperties", "contentEncoding"),
)
_CONTENT = ("contentMediaType", "contentEncoding", "contentSchema")
# Formats that are validated, or that say nothing about a valid string.
_FORMATS = frozenset(
    {"uri", "uri-reference", "iri", "iri-reference", "uri-template", "hostname", "idn-hostname"}
    | {"date", "time", "date-time", "duration", "email", "idn-email", "ipv4", "ipv6", "uuid"}
    | {"json-pointer", "relative-json-pointer", "regex", "byte", "password"}
)


def string(name: str, schema: Json) -> Form:
    """Return the form of a string: choices, a URL, a length in seconds, prose or any string."""
    if choices := _choices(schema, str):
        seconds = name.endswith("duration") and all(value.isdecimal() for value in choices)
        kind = InputType.SECONDS if seconds else InputType.STRING
        return {"type": kind.value, "choices": choices, "unchecked": unchecked(schema)}
    words = name.lower().split("_")
    if schema.get("format") == "uri" or words[-1] in {"url", "urls", "uri"}:
        return {
            "type": InputType.URL.value,
            "max_length": schema.get("maxLength"),
            "unchecked": unchecked(schema),
        }
    kind = InputType.TEXT if _PROSE & set(words) else InputType.STRING
    lengths = {"min_length": schema.get("minLength"), "max_length": schema.get("maxLength")}
    return {"type": kind.value, **lengths, "unchecked": unchecked(schema)}


def scalar(schema: Json) -> Form:
    """Return the form of an integer, a number or a boolean with its bounds."""
    kind = _SCALARS[schema["type"]]
    if kind is InputType.BOOLEAN:
        return {"type": kind.value}
    numbers: tuple[type, ...] = (int,) if kind is InputType.INTEGER else (int, float)
    choices = _choices(schema, *numbers)
    bounds = {**_bound(schema, "minimum"), **_bound(schema, "maximum")}
    return {
        "type": kind.value,
        **(_whole_bounds(bounds) if kind is InputType.INTEGER else bounds),
        "choices": choices or None,
    }


def described(schema: Json, form: Form) -> Form:
    """Return the form with its default, example and description; without empty values."""
    default = schema.get("default")
    is_text = form["type"] in {InputType.SECONDS, InputType.STRING, InputType.TEXT}
    if isinstance(default, int | float) and is_text and not isinstance(default, bool):
        default = str(default)  # fal's descriptions have 5 as the default of a string
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


def unchecked(schema: Json) -> list[str]:
    """Return the keywords about a string's content that no validator of JSON Schema asserts."""
    unknown = ["format"] if schema.get("format", "uri") not in _FORMATS else []
    return [key for key in _CONTENT if key in schema] + unknown


def additional(schema: Json) -> Form:
    """Return the part of a form that says whether an object accepts undeclared members.

    By the standard a schema without the keyword accepts them; fal's omit it and mean no.
    """
    return {"additional": True} if schema.get("additionalProperties", False) is not False else {}


def with_single_type(schema: Json) -> Json:
    """Return the schema with null removed from its types, or with the type of its choices."""
    kinds = schema.get("type")
    if isinstance(kinds, list):
        kinds = [kind for kind in kinds if kind != "null"]
        return {**schema, "type": kinds[0]} if len(kinds) == 1 else schema
    if kinds is not None:
        return schema
    inferred = next((kind for kind, types in _JSON_TYPES.items() if _choices(schema, *types)), None)
    return {**schema, "type": inferred} if inferred else schema


_JSON_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
}


def _choices(schema: Json, *types: type) -> list[Any]:
    """Return the allowed values except null, if all are of these types; else an empty list."""
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


def _whole_bounds(bounds: Form) -> Form:
    """Return the bounds as inclusive whole numbers."""
    least = [math.ceil(low) for low in [bounds.get("minimum")] if low is not None]
    least += [math.floor(low) + 1 for low in [bounds.get("exclusive_minimum")] if low is not None]
    most = [math.floor(high) for high in [bounds.get("maximum")] if high is not None]
    most += [math.ceil(high) - 1 for high in [bounds.get("exclusive_maximum")] if high is not None]
    return {"minimum": max(least, default=None), "maximum": min(most, default=None)}
