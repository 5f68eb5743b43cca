"""Conversion of OpenAPI schemas into fields and types of a catalogue file.

A schema that the catalogue cannot express becomes `any`; the JSON Schema of the request validates
it. Keywords that say something about the content of a string are listed as unchecked.
"""

from collections.abc import Iterable, Mapping
from itertools import count

from worker.catalogue.inputs import InputType
from worker.catalogue.openapi import keywords
from worker.catalogue.openapi.keywords import Form, Json
from worker.catalogue.openapi.schemas import Schemas, ordered

_DEEPEST = 6


class Fields:
    """A converter of inputs; collects nested types in `types`, with `prefix` before their names."""

    def __init__(self, schemas: Schemas, prefix: str) -> None:
        self.types: dict[str, dict[str, Form]] = {}
        self._schemas = schemas
        self._prefix = prefix
        self._shapes: dict[str, object] = {}
        self._unfinished: set[str] = set()

    def field(self, name: str, schema: Json | bool, depth: int = 0) -> Form:
        """Return the form of an input, or of a member at this depth."""
        schema = self._schemas.resolved(schema)
        if schema.get("type") == "array" and isinstance(schema.get("items"), Mapping | bool):
            item = self._schemas.resolved(schema["items"])
            if item.get("type") == "array":
                return keywords.described(schema, {"type": InputType.ANY.value})
            bounds = {"min_items": schema.get("minItems"), "max_items": schema.get("maxItems")}
            form = {**self._typed(name, item, depth), "many": True, **bounds}
            return keywords.described(schema, form)
        return keywords.described(schema, self._typed(name, schema, depth))

    def _typed(self, name: str, schema: Json, depth: int) -> Form:
        match schema:
            case {"type": "string"}:
                return keywords.string(name, schema)
            case {"type": "integer" | "number" | "boolean"}:
                return keywords.scalar(schema)
            case {"type": "object", "properties": {**members}} if members and depth < _DEEPEST:
                form = {"type": self._nested(schema, members, depth)}
                return form | keywords.additional(schema)
        return {"type": InputType.ANY.value}

    def _nested(self, schema: Json, members: Iterable[object], depth: int) -> str:
        title = schema.get("$id") or schema.get("title")
        key = self._key(schema, str(title or "Object of " + ", ".join(map(str, members))))
        if key in self._unfinished:
            return InputType.ANY.value  # a recursive type
        if key not in self.types:
            self._unfinished.add(key)
            required = set(schema.get("required", ()))
            self.types[key] = {
                name: {**self.field(name, member, depth + 1), "required": name in required}
                for name, member in ordered(schema)
            }
            self._unfinished.remove(key)
        return key

    def _key(self, schema: Json, title: str) -> str:
        """Return a key unique to this shape: several schemas may have one title."""
        shape = [schema.get(key) for key in ("properties", "required", "x-fal-order-properties")]
        for number in count(1):
            key = f"{self._prefix}{title}" + (f" {number}" if number > 1 else "")
            if self._shapes.setdefault(key, shape) == shape:
                break
        return key
