"""The OpenAPI 3.1 document. https://spec.openapis.org/oas/v3.1.1.html"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from api.models.problem import Problem
from api.openapi.examples import as_markdown
from api.operation import Answer, Operation
from api.problems import KINDS
from worker.version import VERSION

Schema = dict[str, Any]

_TEMPLATE = "#/components/schemas/{model}"
# Problems of every operation that needs a key, and of every one that has a body or parameters.
_OF_KEYS = ("unauthenticated", "scope", "rate_limited", "unavailable", "internal")
# Keywords of a parameter's schema that its description repeats, or that are about null.
_LEFT_OUT = frozenset({"title", "description", "anyOf"})
_OF_BODIES = ("bad_request", "bad_json", "too_large", "unsupported_media_type", "invalid_request")
_DESCRIPTION = """Create, follow and continue generative video jobs on fal.

Every error is `application/problem+json` (RFC 9457) with a `code`, and with `retry`, which says \
what to do next: `same_key`, `new_key`, `after` or `never`.

Send an `Idempotency-Key` with every job: the same key is always the same job, and fal is paid once.

## Examples

Each creates a job and waits for its end; `FALHOOK_API_URL` and `FALHOOK_API_KEY` are yours.
"""


def openapi(operations: Sequence[Operation]) -> Mapping[str, Any]:
    """Return the document of these operations."""
    schemas = _Schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        path = re.sub(r":path}", "}", operation.path)
        paths.setdefault(path, {})[operation.method.lower()] = _described(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "falhook",
            "version": VERSION,
            "description": _DESCRIPTION + as_markdown(),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in dict.fromkeys(each.tag for each in operations)],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key, `fhk_…`: `falhook keys add` makes one.",
                }
            },
        },
    }


class _Schemas:
    """The JSON Schemas of the models of these operations, each once."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        models = dict.fromkeys(chain.from_iterable(map(_models, operations)))
        self._references, document = models_json_schema(list(models), ref_template=_TEMPLATE)
        self._all: Schema = document["$defs"]
        # Those of parameters are written out where they are.
        queries = {each.query for each in operations if each.query}
        names = {self.of(query, "validation")["$ref"].rpartition("/")[2] for query in queries}
        self.components = {name: one for name, one in self._all.items() if name not in names}

    def properties(self, model: type[BaseModel]) -> tuple[Schema, Sequence[str]]:
        """Return the members of the model's schema, and the names of those that are required."""
        name = self.of(model, "validation")["$ref"].rpartition("/")[2]
        return self._all[name].get("properties", {}), self._all[name].get("required", ())

    def of(self, model: type[BaseModel], mode: JsonSchemaMode) -> Schema:
        """Return a reference to the schema of the model."""
        return self._references[model, mode]


def _models(operation: Operation) -> Iterator[tuple[type[BaseModel], JsonSchemaMode]]:
    bodies = [operation.body, *operation.raw_bodies.values()]
    yield from ((body, "validation") for body in bodies if body is not None)
    if operation.query is not None:
        yield operation.query, "validation"
    yield from ((each.model, "serialization") for each in operation.answers.values() if each.model)
    yield Problem, "serialization"


def _described(operation: Operation, schemas: _Schemas) -> Schema:
    described: Schema = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": list(_parameters(operation, schemas)),
        "responses": dict(_responses(operation, schemas)),
    }
    if operation.description:
        described["description"] = operation.description
    if operation.scope is None:
        described["security"] = []
    if content := dict(_bodies(operation, schemas)):
        described["requestBody"] = {"required": not operation.body_optional, "content": content}
    return described


def _parameters(operation: Operation, schemas: _Schemas) -> Iterator[Schema]:
    for name in re.findall(r"{(\w+)(?::path)?}", operation.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    if operation.query is not None:
        properties, required = schemas.properties(operation.query)
        for name, schema in properties.items():
            yield _query_parameter(name, schema, required=name in required)
    for name, meaning in operation.headers.items():
        schema = {"type": "string"}
        yield {
            "name": name,
            "in": "header",
            "required": False,
            "schema": schema,
            "description": meaning,
        }


def _query_parameter(name: str, schema: Schema, *, required: bool) -> Schema:
    parameter: Schema = {"name": name, "in": "query", "required": required}
    # An absent parameter is null; none can be sent as null.
    single = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    schema = {**schema, **single[0]} if len(single) == 1 else schema
    parameter["schema"] = {key: each for key, each in schema.items() if key not in _LEFT_OUT}
    if schema.get("type") == "array":
        parameter |= {"style": "form", "explode": False}  # comma-separated
    if parameter["schema"].get("default", "") is None:
        del parameter["schema"]["default"]
    if "description" in schema:
        parameter["description"] = schema["description"]
    return parameter


def _bodies(operation: Operation, schemas: _Schemas) -> Iterator[tuple[str, Schema]]:
    bodies = dict(operation.raw_bodies)
    if operation.body is not None:
        bodies["application/json"] = operation.body
    for media_type, model in bodies.items():
        schema = (
            schemas.of(model, "validation") if model else {"type": "string", "format": "binary"}
        )
        yield media_type, {"schema": schema}


def _responses(operation: Operation, schemas: _Schemas) -> Iterator[tuple[str, Schema]]:
    for status, answer in operation.answers.items():
        yield str(status), _response(answer, schemas)
    problem = {"application/problem+json": {"schema": schemas.of(Problem, "serialization")}}
    codes: dict[int, list[str]] = {}
    for name in dict.fromkeys(_problems(operation)):
        codes.setdefault(KINDS[name].status, []).append(name)
    for status, names in codes.items():
        titles = "; ".join(f"`{name}`: {KINDS[name].title}" for name in names)
        yield str(status), {"description": titles, "content": problem}


def _problems(operation: Operation) -> Iterable[str]:
    yield from operation.problems
    yield from _OF_KEYS if operation.scope is not None else ("internal",)
    if operation.body is not None:
        yield from _OF_BODIES
    if operation.query is not None:
        yield "invalid_request"


def _response(answer: Answer, schemas: _Schemas) -> Schema:
    response: Schema = {"description": answer.description}
    if answer.model is not None:
        schema = schemas.of(answer.model, "serialization")
        response["content"] = {answer.media_type: {"schema": schema}}
    elif answer.media_type:
        response["content"] = {answer.media_type: {}}
    for media_type in answer.also:
        response["content"][media_type] = {}
    if answer.headers:
        response["headers"] = {
            name: {"description": meaning, "schema": {"type": "string"}}
            for name, meaning in answer.headers.items()
        }
    if answer.links:
        response["links"] = {
            name: {"operationId": name, "parameters": dict(parameters)}
            for name, parameters in answer.links.items()
        }
    return response
