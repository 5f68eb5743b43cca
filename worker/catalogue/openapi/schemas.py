"""Schemas of an OpenAPI description with references, unions and `allOf` resolved."""

from typing import Any

from worker.catalogue.openapi.json_schema import referenced
from worker.catalogue.openapi.keywords import RESTRICTING, Json, with_single_type

_DEEPEST = 24
_REF = "#/components/schemas/"
_UNIONS = ("anyOf", "oneOf")
# Two schemas that disagree about one of these cannot be joined.
_EXCLUSIVE = frozenset({"type", "items", "additionalProperties", *RESTRICTING}) - {"allOf"}


class Schemas:
    """A resolver of references to the components of one document."""

    def __init__(self, document: Json) -> None:
        self._document = document

    def resolved(self, schema: Json | bool) -> Json:
        """Return the schema with its references and parts joined, and without null as a type.

        Unions with one member become that member, unions of constants an enum, and parts of
        `allOf` that do not contradict one another are joined. `$id` is the component's name.
        Raises KeyError for a reference to a missing component.
        """
        if isinstance(schema, bool):
            return {}  # true accepts anything
        for _ in range(_DEEPEST):
            simpler = self._simpler(schema)
            if simpler is None:
                break
            schema = simpler
        return with_single_type(schema)

    def _simpler(self, schema: Json) -> Json | None:
        """Return the schema with one reference or union resolved; None if none is left."""
        if "$ref" in schema:
            name = str(schema["$ref"]).removeprefix(_REF)
            component = referenced(self._document, str(schema["$ref"]))
            siblings = _without(schema, "$ref")
            # Siblings that contradict the component override it; the JSON Schema applies both.
            whole = _joined(component, siblings) or {**component, **siblings, "allOf": [component]}
            return {**whole, "$id": schema.get("$id", name)}
        if parts := schema.get("allOf"):
            first, *others = parts
            siblings = _without(schema, "allOf") | ({"allOf": others} if others else {})
            if joined := _joined(first, siblings):
                return joined
        for union in _UNIONS:
            members = _members(schema, union)
            only = members[0] if len(members) == 1 else _enum(members)
            if only is not None and (joined := _joined(only, _without(schema, union))):
                return joined
        return None


def _members(schema: Json, union: str) -> list[Json]:
    # Null is never sent: an optional input is omitted instead.
    return [member for member in schema.get(union, ()) if member.get("type") != "null"]


def _enum(members: list[Json]) -> Json | None:
    """Return the enum that a union of constants amounts to; None for any other union."""
    values: list[Any] = []
    for member in members:
        if not {"const", "enum"} & member.keys() or (_EXCLUSIVE & member.keys()) - _CONSTANT:
            return None
        values += member.get("enum", [member["const"]] if "const" in member else [])
    kinds = {member["type"] for member in members if "type" in member}
    if not values or len(kinds) > 1:
        return None
    return {"enum": values} | ({"type": kinds.pop()} if kinds else {})


_CONSTANT = frozenset({"const", "enum", "type"})


def _joined(part: Json, siblings: Json) -> Json | None:
    """Return one schema for both; `siblings` wins in descriptions. None if they contradict."""
    shared = part.keys() & siblings.keys()
    if any(part[key] != siblings[key] for key in shared & _EXCLUSIVE):
        return None
    joined = {**part, **siblings}
    for key in shared & {"required", "allOf"}:
        joined[key] = [*part[key], *siblings[key]]
    if "properties" in shared:
        both = part["properties"].keys() & siblings["properties"].keys()
        if any(part["properties"][name] != siblings["properties"][name] for name in both):
            return None
        joined["properties"] = {**siblings["properties"], **part["properties"]}
    return joined


def _without(schema: Json, keyword: str) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != keyword}


def nullable(schema: Json | bool) -> bool:
    """Return whether the value may be null, by OpenAPI 3.0, by 3.1 or by a union."""
    if isinstance(schema, bool):
        return schema
    unions = (member for union in _UNIONS for member in schema.get(union, ()))
    return schema.get("nullable") is True or any(
        "null" in _types(part) for part in (schema, *unions)
    )


def _types(schema: Json) -> list[str]:
    kinds = schema.get("type", [])
    return [kinds] if isinstance(kinds, str) else kinds


def ordered(schema: Json) -> list[tuple[str, Json]]:
    """Return the properties in fal's display order."""
    properties: Json = schema["properties"]
    order = [name for name in schema.get("x-fal-order-properties", ()) if name in properties]
    return [(name, properties[name]) for name in dict.fromkeys([*order, *properties])]
