"""Conversion of a result's schema into the outputs of an endpoint."""

from worker.catalogue.openapi.keywords import Json
from worker.catalogue.openapi.schemas import Schemas, nullable, ordered

_OPTIONAL = "optional<{}>"


def described(schemas: Schemas, result: Json) -> dict[str, str]:
    """Return the type of each output, in the order of the schema."""
    required = result.get("required", ())
    types: dict[str, str] = {}
    for name, schema in ordered(result):
        kind = _type(schemas, schema)
        certain = name in required and not nullable(schema)
        types[name] = kind if certain else _OPTIONAL.format(kind)
    return types


def _type(schemas: Schemas, schema: Json | bool) -> str:
    schema = schemas.resolved(schema)
    if schema.get("type") == "array" and "items" in schema:
        return f"list<{_type(schemas, schema['items'])}>"
    if "url" in schema.get("properties", {}):
        return "file"
    kinds = schema.get("type", "any")
    kinds = [kinds] if isinstance(kinds, str) else [kind for kind in kinds if kind != "null"]
    return str(kinds[0]) if len(kinds) == 1 else "any"
