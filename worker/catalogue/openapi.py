"""An endpoint's OpenAPI description as an entry of the catalogue.

https://fal.ai/api/openapi/queue/openapi.json?endpoint_id=… : version 3.0, a path for the submit
and one for the result, the schemas among the components, in the order that
`x-fal-order-properties` gives. What a schema says beyond the catalogue's types becomes `any`,
which lets any JSON through; keywords beyond a type's own are named as unchecked.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

from worker.catalogue import keywords, outputs
from worker.catalogue.errors import Refusal
from worker.catalogue.inputs import Kind
from worker.catalogue.keywords import Form, Json
from worker.catalogue.schemas import Schemas, ordered

URL = "https://fal.ai/api/openapi/queue/openapi.json?endpoint_id={endpoint}"
_DEEPEST = 6


class UnreadableDescription(Refusal):
    """This is no description of that endpoint; the sentence says what is missing."""

    def __init__(self, endpoint: str, sentence: str) -> None:
        super().__init__("unreadable_description", f"the description of {endpoint} {sentence}")


def entry(endpoint: str, document: object, *, source: str) -> Form:
    """The tables of a catalogue file for this endpoint. Raises UnreadableDescription."""
    if not isinstance(document, Mapping):
        raise UnreadableDescription(endpoint, "is no JSON object")
    try:
        return _Reader(endpoint, document).entry(source)
    except KeyError as error:
        raise UnreadableDescription(endpoint, f"names {error}, which it does not hold") from error
    except (AttributeError, OverflowError, TypeError, ValueError) as error:
        raise UnreadableDescription(endpoint, "has not the form that fal gives it") from error


class _Reader:
    """Reads one document; `types` gathers the nested types on the way."""

    def __init__(self, endpoint: str, document: Json) -> None:
        self.endpoint = endpoint
        self.document = document
        self.schemas = Schemas(document)
        self.types: dict[str, dict[str, Form]] = {}
        self._unfinished: set[str] = set()

    def entry(self, source: str) -> Form:
        taken = self._schema("post", "", "requestBody")
        given = self._schema("get", "/requests/{request_id}", "responses", "200")
        required = set(taken.get("required", ()))
        fields = {
            f"{self.endpoint}:{name}": self._field(name, schema, 0) | {"name": name}
            for name, schema in ordered(taken)
        }
        model = {
            "request_type": str(taken.get("title", "")),
            "required": [key for key in fields if key.rpartition(":")[2] in required],
            "optional": [key for key in fields if key.rpartition(":")[2] not in required],
            "outputs": outputs.described(self.schemas, given),
            "source": [f"{self.endpoint}:openapi"],
        }
        return {
            "sources": {f"{self.endpoint}:openapi": source},
            "fields": fields,
            "types": self.types,
            "models": {self.endpoint: model},
        }

    def _schema(self, method: Literal["get", "post"], below: str, *steps: str) -> Json:
        path = f"/{self.endpoint}{below}"
        try:
            found = self.document["paths"][path][method]
            for step in steps:
                found = found[step]
            schema = self.schemas.resolved(found["content"]["application/json"]["schema"])
            schema["properties"].items()
        except (KeyError, TypeError, AttributeError) as error:
            sentence = f"holds no schema for {method.upper()} {path}; is it of another endpoint?"
            raise UnreadableDescription(self.endpoint, sentence) from error
        return schema

    def _field(self, name: str, schema: Json | bool, depth: int) -> Form:
        schema = self.schemas.resolved(schema)
        if schema.get("type") == "array" and "items" in schema:
            item = self.schemas.resolved(schema["items"])
            if item.get("type") == "array":
                return keywords.described(schema, {"type": Kind.ANY.value})
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
                left = keywords.unchecked(schema, frozenset())
                return {"type": self._nested(schema, members, depth), "unchecked": left}
        return {"type": Kind.ANY.value}

    def _nested(self, schema: Json, members: Iterable[object], depth: int) -> str:
        title = schema.get("title") or "Object of " + ", ".join(map(str, members))
        key = f"{self.endpoint}:{title}"
        if key in self._unfinished:
            return Kind.ANY.value  # a type within itself
        if key not in self.types:
            self._unfinished.add(key)
            required = set(schema.get("required", ()))
            self.types[key] = {
                name: {**self._field(name, member, depth + 1), "required": name in required}
                for name, member in ordered(schema)
            }
            self._unfinished.remove(key)
        return key
