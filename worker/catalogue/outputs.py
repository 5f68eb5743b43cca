"""What a result holds, in the words of the catalogue: `file`, `list<image>`, `optional<string>`."""

from collections.abc import Mapping

from worker.catalogue.openapi.keywords import Json
from worker.catalogue.openapi.schemas import Schemas, nullable, ordered

_FILES = frozenset({"file", "image", "video", "audio"})
_OPTIONAL = "optional<{}>"


def certain_file(outputs: Mapping[str, str]) -> bool:
    """Whether every result holds a file: one of the outputs is a file, or a list of such.

    An optional output promises nothing, and of a type that is not known nobody can tell.
    """
    return any(_item(kind) in _FILES for kind in outputs.values())


def _item(kind: str) -> str:
    while kind.startswith("list<") and kind.endswith(">"):
        kind = kind.removeprefix("list<").removesuffix(">")
    return kind


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
