"""What an endpoint returns, as its OpenAPI description says."""

from worker.catalogue.openapi.keywords import Json
from worker.catalogue.openapi.schemas import Schemas, nullable, ordered

_OPTIONAL = "optional<{}>"


def described(schemas: Schemas, result: Json) -> dict[str, str]:
    """The outputs of a result's schema, in its order."""
    required = result.get("required", ())
    found: dict[str, str] = {}
    for name, schema in ordered(result):
        kind = _kind(schemas, schema)
        certain = name in required and not nullable(schema)
        found[name] = kind if certain else _OPTIONAL.format(kind)
    return found


def _kind(schemas: Schemas, schema: Json | bool) -> str:
    schema = schemas.resolved(schema)
    if schema.get("type") == "array" and "items" in schema:
        return f"list<{_kind(schemas, schema['items'])}>"
    if "url" in schema.get("properties", {}):
        return "file"
    kinds = schema.get("type", "any")
    kinds = [kinds] if isinstance(kinds, str) else [kind for kind in kinds if kind != "null"]
    return str(kinds[0]) if len(kinds) == 1 else "any"
