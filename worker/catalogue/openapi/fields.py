"""The inputs of an OpenAPI description as fields and types of a catalogue file.

What a schema says beyond the catalogue's types becomes `any`, which lets any JSON through;
keywords beyond a type's own are named as unchecked.
"""

from collections.abc import Iterable
from itertools import count

from worker.catalogue.inputs import InputType
from worker.catalogue.openapi import keywords
from worker.catalogue.openapi.keywords import Form, Json
from worker.catalogue.openapi.schemas import Schemas, ordered

_DEEPEST = 6


class Fields:
    """Reads inputs; `types` gathers the nested types on the way, their names after `prefix`."""

    def __init__(self, schemas: Schemas, prefix: str) -> None:
        self.types: dict[str, dict[str, Form]] = {}
        self._schemas = schemas
        self._prefix = prefix
        self._shapes: dict[str, object] = {}
        self._unfinished: set[str] = set()

    def field(self, name: str, schema: Json | bool, depth: int = 0) -> Form:
        """The form of one input, or of one member at that depth."""
        schema = self._schemas.resolved(schema)
        if schema.get("type") == "array" and "items" in schema:
            item = self._schemas.resolved(schema["items"])
            if item.get("type") == "array":
                return keywords.described(schema, {"type": InputType.ANY.value})
            bounds = {"min_items": schema.get("minItems"), "max_items": schema.get("maxItems")}
            single = self._typed(name, item, depth)
            left = keywords.unchecked(schema, {"minItems", "maxItems"})
            left += single.get("unchecked", [])
            form = {**single, "many": True, **bounds, "unchecked": left}
            return keywords.described(schema, form)
        return keywords.described(schema, self._typed(name, schema, depth))

    def _typed(self, name: str, schema: Json, depth: int) -> Form:
        match schema:
            case {"type": "string"}:
                return keywords.string(name, schema)
            case {"type": "integer" | "number" | "boolean"}:
                return keywords.plain(schema)
            case {"type": "object", "properties": {**members}} if members and depth < _DEEPEST:
                form = {"type": self._nested(schema, members, depth)}
                form |= keywords.additional(schema)
                return form | {"unchecked": keywords.unchecked(schema, frozenset())}
        return {"type": InputType.ANY.value}

    def _nested(self, schema: Json, members: Iterable[object], depth: int) -> str:
        named = schema.get("$id") or schema.get("title")
        key = self._key(schema, str(named or "Object of " + ", ".join(map(str, members))))
        if key in self._unfinished:
            return InputType.ANY.value  # a type within itself
        if key not in self.types:
            self._unfinished.add(key)
            required = set(schema.get("required", ()))
            self.types[key] = {
                name: {**self.field(name, member, depth + 1), "required": name in required}
                for name, member in ordered(schema)
            }
            self._unfinished.remove(key)
        return key

    def _key(self, schema: Json, named: str) -> str:
        """The key of that name which is this shape's alone: titles may stand for several."""
        shape = [schema.get(key) for key in ("properties", "required", "x-fal-order-properties")]
        for number in count(1):
            key = f"{self._prefix}{named}" + (f" {number}" if number > 1 else "")
            if self._shapes.setdefault(key, shape) == shape:
                break
        return key
