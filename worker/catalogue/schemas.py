"""The schemas of an OpenAPI description, behind their references."""

from worker.catalogue.keywords import Json

_DEEPEST = 6
_REF = "#/components/schemas/"


class Schemas:
    """Resolves what refers to the components of one document."""

    def __init__(self, document: Json) -> None:
        self._document = document

    def resolved(self, schema: Json | bool) -> Json:
        """The schema behind references and single-member unions, with what stands beside them.

        Raises KeyError for a reference that leads nowhere.
        """
        if isinstance(schema, bool):
            return {}  # true takes anything
        for _ in range(_DEEPEST):
            members = _members(schema)
            if "$ref" in schema:
                name = str(schema["$ref"]).removeprefix(_REF)
                beside = {key: value for key, value in schema.items() if key != "$ref"}
                schema = {**self._document["components"]["schemas"][name], **beside}
            elif len(members) == 1:
                unions = {"anyOf", "oneOf", "allOf"}
                beside = {key: value for key, value in schema.items() if key not in unions}
                schema = {**members[0], **beside}
            else:
                break
        return schema


def nullable(schema: Json | bool) -> bool:
    """Whether the value may be null, as OpenAPI 3.0, 3.1 or a union says it."""
    if isinstance(schema, bool):
        return schema
    unions = (*schema.get("anyOf", ()), *schema.get("oneOf", ()))
    return (
        schema.get("nullable") is True
        or "null" in _types(schema)
        or any("null" in _types(member) for member in unions)
    )


def _types(schema: Json) -> list[str]:
    kinds = schema.get("type", [])
    return [kinds] if isinstance(kinds, str) else kinds


def _members(schema: Json) -> list[Json]:
    found = [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())]
    # An optional input may be left out; null is not sent.
    return [member for member in found if member.get("type") != "null"]


def ordered(schema: Json) -> list[tuple[str, Json]]:
    """The properties in the order that fal shows them in."""
    properties: Json = schema["properties"]
    order = [name for name in schema.get("x-fal-order-properties", ()) if name in properties]
    return [(name, properties[name]) for name in dict.fromkeys([*order, *properties])]
