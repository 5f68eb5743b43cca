"""Conversion of an OpenAPI schema into one JSON Schema 2020-12 document without other documents.

https://spec.openapis.org/oas/v3.0.4#schema-object : OpenAPI 3.0 has its own `nullable` and Boolean
`exclusiveMinimum`; fal's descriptions mix it with keywords of OpenAPI 3.1. Keywords that only
describe a value are left out.
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, unquote

from worker.catalogue.openapi.keywords import Json

_SCHEMA = (
    *("items", "additionalProperties", "not", "if", "then", "else", "contains"),
    *("propertyNames", "unevaluatedItems", "unevaluatedProperties"),
)
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAPS = ("properties", "patternProperties", "dependentSchemas")
_PLAIN = (
    *("type", "enum", "const", "pattern", "format", "minLength", "maxLength", "multipleOf"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "required"),
    *("minItems", "maxItems", "uniqueItems", "minContains", "maxContains"),
    *("minProperties", "maxProperties", "dependentRequired"),
)
# fal accepts addresses with characters beyond ASCII (RFC 3987), as pydantic's URLs do.
_FORMATS = {"uri": "iri", "uri-reference": "iri-reference"}
_COMPONENTS = "components/schemas/"


def self_contained(document: Json, schema: Json) -> dict[str, Any]:
    """Return the schema with all that it refers to under `$defs`.

    Raises KeyError for a reference that leads out of the document or to nothing.
    """
    collector = _Collector(document)
    converted = collector.convert(schema)
    assert isinstance(converted, dict), "the schema of a request is an object"
    while collector.pending:
        name, referenced = collector.pending.popitem()
        collector.definitions[name] = collector.convert(referenced)
    return converted | ({"$defs": collector.definitions} if collector.definitions else {})


def referenced(document: Json, reference: str) -> Any:
    """Return the part of the document at this reference, a JSON pointer (RFC 6901) after `#`.

    Raises KeyError for any other reference, or if there is nothing at it.
    """
    steps = unquote(reference).removeprefix("#/").split("/")
    if not reference.startswith("#/"):
        raise KeyError(reference)
    part: Any = document
    for step in steps:
        key: Any = step.replace("~1", "/").replace("~0", "~")
        try:
            part = part[int(key) if isinstance(part, list) else key]
        except (LookupError, TypeError, ValueError):
            raise KeyError(reference) from None
    return part


class _Collector:
    """A converter of schemas; `pending` are the referenced ones that are still to be converted."""

    def __init__(self, document: Json) -> None:
        self.definitions: dict[str, Any] = {}
        self.pending: dict[str, Any] = {}
        self._document = document

    def convert(self, schema: Any) -> dict[str, Any] | bool:
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, Mapping):
            raise TypeError(f"{schema!r} is not a schema")
        result: dict[str, Any] = {}
        for keyword, value in schema.items():
            if convert := self._converters.get(keyword):
                result |= convert(self, keyword, value)
        _make_numeric(result, "minimum")
        _make_numeric(result, "maximum")
        if schema.get("nullable") is True:
            return {"anyOf": [result, {"type": "null"}]}
        return result

    def _plain(self, keyword: str, value: Any) -> dict[str, Any]:
        return {keyword: value}

    def _format(self, keyword: str, value: Any) -> dict[str, Any]:
        return {keyword: _FORMATS.get(value, value)}

    def _single(self, keyword: str, value: Any) -> dict[str, Any]:
        if isinstance(value, list):  # `items` as a list, before JSON Schema 2020-12
            return {"prefixItems": [self.convert(item) for item in value]}
        return {keyword: self.convert(value)}

    def _list(self, keyword: str, value: Any) -> dict[str, Any]:
        return {keyword: [self.convert(item) for item in value]}

    def _map(self, keyword: str, value: Any) -> dict[str, Any]:
        return {keyword: {name: self.convert(item) for name, item in value.items()}}

    def _dependencies(self, _: str, value: Any) -> dict[str, Any]:
        """Split the keyword of JSON Schema before 2019-09 into its two successors."""
        names = {name: item for name, item in value.items() if isinstance(item, list)}
        schemas = {name: item for name, item in value.items() if name not in names}
        return {"dependentRequired": names, **self._map("dependentSchemas", schemas)}

    def _reference(self, _: str, value: Any) -> dict[str, Any]:
        target = referenced(self._document, str(value))
        name = unquote(str(value)).removeprefix("#/").removeprefix(_COMPONENTS)
        if name not in self.definitions:
            self.pending[name] = target
            self.definitions[name] = True
        return {"$ref": f"#/$defs/{quote(name.replace('~', '~0').replace('/', '~1'))}"}

    _converters: Mapping[str, Callable[["_Collector", str, Any], dict[str, Any]]] = {
        **dict.fromkeys(_PLAIN, _plain),
        **dict.fromkeys(_SCHEMA, _single),
        **dict.fromkeys(_LISTS, _list),
        **dict.fromkeys(_MAPS, _map),
        "format": _format,
        "dependencies": _dependencies,
        **dict.fromkeys(("$ref", "$dynamicRef", "$recursiveRef"), _reference),
    }


def _make_numeric(schema: dict[str, Any], end: str) -> None:
    """Replace the Boolean form of `exclusiveMinimum` or `exclusiveMaximum` by a bound."""
    name = f"exclusive{end.capitalize()}"
    match schema.get(name):
        case True:
            schema.pop(name)
            if end in schema:
                schema[name] = schema.pop(end)
        case False:
            schema.pop(name)
