"""The schemas of an OpenAPI description, behind their references and unions."""

from typing import Any

from worker.catalogue.openapi.keywords import RESTRICTING, Json, typed_alike

_DEEPEST = 24
_REF = "#/components/schemas/"
_UNIONS = ("anyOf", "oneOf")
# Keywords of which two schemas that hold together cannot both have their own.
_DECIDING = frozenset({"type", "items", "additionalProperties", *RESTRICTING}) - {"allOf"}


class Schemas:
    """Resolves what refers to the components of one document."""

    def __init__(self, document: Json) -> None:
        self._document = document

    def resolved(self, schema: Json | bool) -> Json:
        """The schema with its references and parts in one piece; null among its types is left out.

        Unions with one member become that member, unions of constants an enum, and all parts of
        `allOf` that do not contradict one another are joined. `$id` tells the component's name.
        Raises KeyError for a reference that leads nowhere.
        """
        if isinstance(schema, bool):
            return {}  # true takes anything
        for _ in range(_DEEPEST):
            simpler = self._simpler(schema)
            if simpler is None:
                break
            schema = simpler
        return typed_alike(schema)

    def _simpler(self, schema: Json) -> Json | None:
        """The schema with one reference or union less; None where there is none to be resolved."""
        if "$ref" in schema:
            name = str(schema["$ref"]).removeprefix(_REF)
            component = self._document["components"]["schemas"][name]
            beside = _without(schema, "$ref")
            # What a place says of a component otherwise holds there, but is not all that holds.
            whole = _joined(component, beside) or {**component, **beside, "allOf": [component]}
            return {**whole, "$id": schema.get("$id", name)}
        if parts := schema.get("allOf"):
            first, *others = parts
            beside = _without(schema, "allOf") | ({"allOf": others} if others else {})
            if joined := _joined(first, beside):
                return joined
        for union in _UNIONS:
            members = _members(schema, union)
            only = members[0] if len(members) == 1 else _enum(members)
            if only is not None and (joined := _joined(only, _without(schema, union))):
                return joined
        return None


def _members(schema: Json, union: str) -> list[Json]:
    # An optional input may be left out; null is not sent.
    return [member for member in schema.get(union, ()) if member.get("type") != "null"]


def _enum(members: list[Json]) -> Json | None:
    """The choice that a union of constants is; None for any other union."""
    values: list[Any] = []
    for member in members:
        if not {"const", "enum"} & member.keys() or (_DECIDING & member.keys()) - _CONSTANT:
            return None
        values += member.get("enum", [member["const"]] if "const" in member else [])
    kinds = {member["type"] for member in members if "type" in member}
    if not values or len(kinds) > 1:
        return None
    return {"enum": values} | ({"type": kinds.pop()} if kinds else {})


_CONSTANT = frozenset({"const", "enum", "type"})


def _joined(part: Json, beside: Json) -> Json | None:
    """One schema for both, in which `beside` describes; None where they contradict each other."""
    shared = part.keys() & beside.keys()
    if any(part[key] != beside[key] for key in shared & _DECIDING):
        return None
    joined = {**part, **beside}
    for key in shared & {"required", "allOf"}:
        joined[key] = [*part[key], *beside[key]]
    if "properties" in shared:
        both = part["properties"].keys() & beside["properties"].keys()
        if any(part["properties"][name] != beside["properties"][name] for name in both):
            return None
        joined["properties"] = {**beside["properties"], **part["properties"]}
    return joined


def _without(schema: Json, keyword: str) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != keyword}


def nullable(schema: Json | bool) -> bool:
    """Whether the value may be null, as OpenAPI 3.0, 3.1 or a union says it."""
    if isinstance(schema, bool):
        return schema
    unions = (member for union in _UNIONS for member in schema.get(union, ()))
    return schema.get("nullable") is True or any("null" in _types(one) for one in (schema, *unions))


def _types(schema: Json) -> list[str]:
    kinds = schema.get("type", [])
    return [kinds] if isinstance(kinds, str) else kinds


def ordered(schema: Json) -> list[tuple[str, Json]]:
    """The properties in the order that fal shows them in."""
    properties: Json = schema["properties"]
    order = [name for name in schema.get("x-fal-order-properties", ()) if name in properties]
    return [(name, properties[name]) for name in dict.fromkeys([*order, *properties])]
