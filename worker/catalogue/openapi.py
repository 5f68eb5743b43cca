"""An endpoint's OpenAPI description as an entry of the catalogue.

https://fal.ai/api/openapi/queue/openapi.json?endpoint_id=… : version 3.0, a path for the submit
and one for the result, the schemas among the components, in the order that
`x-fal-order-properties` gives. What a schema says beyond the catalogue's types becomes `any`,
which lets any JSON through.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from worker.catalogue.errors import Refusal
from worker.catalogue.inputs import Kind

URL = "https://fal.ai/api/openapi/queue/openapi.json?endpoint_id={endpoint}"
_DEEPEST = 6
_REF = "#/components/schemas/"
_PLAIN = {"integer": Kind.INTEGER, "number": Kind.NUMBER, "boolean": Kind.BOOLEAN}
_WORDS = frozenset({"prompt", "text", "lyrics", "script"})

Json = Mapping[str, Any]
Form = dict[str, Any]


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
    except (AttributeError, KeyError, TypeError) as error:
        sentence = f"has not the form that fal gives it ({type(error).__name__}: {error})"
        raise UnreadableDescription(endpoint, sentence) from error


class _Reader:
    """Reads one document; `types` gathers the nested types on the way."""

    def __init__(self, endpoint: str, document: Json) -> None:
        self.endpoint = endpoint
        self.document = document
        self.types: dict[str, dict[str, Form]] = {}
        self._unfinished: set[str] = set()

    def entry(self, source: str) -> Form:
        taken = self._schema("post", "", "requestBody")
        given = self._schema("get", "/requests/{request_id}", "responses", "200")
        required = set(taken.get("required", ()))
        fields = {
            f"{self.endpoint}:{name}": self._field(name, schema, 0) | {"name": name}
            for name, schema in _ordered(taken)
        }
        model = {
            "request_type": str(taken.get("title", "")),
            "required": [key for key in fields if key.rpartition(":")[2] in required],
            "optional": [key for key in fields if key.rpartition(":")[2] not in required],
            "outputs": {name: self._output(schema) for name, schema in _ordered(given)},
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
            schema = self._resolved(found["content"]["application/json"]["schema"])
            schema["properties"].items()
        except (KeyError, TypeError, AttributeError) as error:
            sentence = f"holds no schema for {method.upper()} {path}; is it of another endpoint?"
            raise UnreadableDescription(self.endpoint, sentence) from error
        return schema

    def _resolved(self, schema: Json) -> Json:
        """The schema behind references and single-member unions, with what stands beside them."""
        for _ in range(_DEEPEST):
            members = _members(schema)
            if "$ref" in schema:
                name = str(schema["$ref"]).removeprefix(_REF)
                beside = {key: value for key, value in schema.items() if key != "$ref"}
                schema = {**self.document["components"]["schemas"][name], **beside}
            elif len(members) == 1:
                unions = {"anyOf", "oneOf", "allOf"}
                beside = {key: value for key, value in schema.items() if key not in unions}
                schema = {**members[0], **beside}
            else:
                break
        return schema

    def _field(self, name: str, schema: Json, depth: int) -> Form:
        schema = self._resolved(schema)
        if schema.get("type") == "array" and "items" in schema:
            item = self._resolved(schema["items"])
            if item.get("type") == "array":
                return _form(schema, {"type": Kind.ANY.value})
            bounds = {"min_items": schema.get("minItems"), "max_items": schema.get("maxItems")}
            single = self._typed(name, item, depth)
            return _form(schema, {**single, "many": True, **bounds})
        return _form(schema, self._typed(name, schema, depth))

    def _typed(self, name: str, schema: Json, depth: int) -> Form:
        match schema:
            case {"type": "string"}:
                return _string(name, schema)
            case {"type": "integer" | "number" | "boolean" as plain}:
                bounds = {"minimum": _bound(schema, "min"), "maximum": _bound(schema, "max")}
                return {"type": _PLAIN[plain].value, **bounds}
            case {"type": "object", "properties": {**members}} if members and depth < _DEEPEST:
                return {"type": self._nested(schema, members, depth)}
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
                for name, member in _ordered(schema)
            }
            self._unfinished.remove(key)
        return key

    def _output(self, schema: Json) -> str:
        schema = self._resolved(schema)
        if schema.get("type") == "array" and "items" in schema:
            return f"list<{self._output(schema['items'])}>"
        if "url" in schema.get("properties", {}):
            return "file"
        return str(schema.get("type", "any"))


def _members(schema: Json) -> list[Json]:
    found = [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())]
    # An optional input may be left out; null is not sent.
    return [member for member in found if member.get("type") != "null"]


def _ordered(schema: Json) -> list[tuple[str, Json]]:
    properties: Json = schema["properties"]
    order = [name for name in schema.get("x-fal-order-properties", ()) if name in properties]
    return [(name, properties[name]) for name in dict.fromkeys([*order, *properties])]


def _bound(schema: Json, end: Literal["min", "max"]) -> float | None:
    exclusive = schema.get("exclusiveMinimum" if end == "min" else "exclusiveMaximum")
    bound: float | None = schema.get("minimum" if end == "min" else "maximum")
    if isinstance(exclusive, int | float) and not isinstance(exclusive, bool):
        # The catalogue knows no open ends; fal refuses the end itself.
        whole = schema.get("type") == "integer"
        return exclusive + (1 if end == "min" else -1) if whole else exclusive
    return bound


def _string(name: str, schema: Json) -> Form:
    choices = [value for value in schema.get("enum", ()) if isinstance(value, str)]
    if choices:
        seconds = name.endswith("duration") and all(value.isdecimal() for value in choices)
        return {"type": (Kind.SECONDS if seconds else Kind.STRING).value, "choices": choices}
    lengths = {"min_length": schema.get("minLength"), "max_length": schema.get("maxLength")}
    words = name.lower().split("_")
    if schema.get("format") == "uri" or words[-1] in {"url", "urls", "uri"}:
        return {"type": Kind.URL.value, "max_length": schema.get("maxLength")}
    kind = Kind.TEXT if _WORDS & set(words) else Kind.STRING
    return {"type": kind.value, **lengths}


def _form(schema: Json, form: Form) -> Form:
    default = schema.get("default")
    textual = form["type"] in {Kind.SECONDS, Kind.STRING, Kind.TEXT}
    if isinstance(default, int | float) and textual and not isinstance(default, bool):
        default = str(default)  # seen in fal's descriptions: 5 as the default of a string
    if not isinstance(default, str | int | float | bool) or form.get("many"):
        default = None
    examples = schema.get("examples")
    form = {
        **form,
        "default": default,
        "example": examples[0] if isinstance(examples, list) and examples else None,
        "description": " ".join(str(schema.get("description") or schema.get("title", "")).split()),
    }
    return {key: value for key, value in form.items() if value is not None}
