"""Conversion of an endpoint's OpenAPI description into an entry of the catalogue.

https://fal.ai/api/openapi/queue/openapi.json?endpoint_id=… : OpenAPI 3.0 with one path for the
submit and one for the result. Schemas are components; `x-fal-order-properties` orders their inputs.
"""

from collections.abc import Mapping, Set
from typing import Literal

from worker.catalogue.errors import RequestRejected
from worker.catalogue.openapi import json_schema, keywords, outputs
from worker.catalogue.openapi.fields import Fields
from worker.catalogue.openapi.keywords import Form, Json
from worker.catalogue.openapi.schemas import Schemas, ordered
from worker.catalogue.validation.json_schema import RequestSchema

URL = "https://fal.ai/api/openapi/queue/openapi.json?endpoint_id={endpoint}"


class InvalidOpenApi(RequestRejected):
    """A document that does not describe this endpoint; the sentence says what is missing."""

    def __init__(self, endpoint: str, sentence: str) -> None:
        super().__init__("unreadable_description", f"the description of {endpoint} {sentence}")


def entry(endpoint: str, document: object, *, source: str) -> Form:
    """Return the tables of a catalogue file for this endpoint. Raises InvalidOpenApi."""
    if not isinstance(document, Mapping):
        raise InvalidOpenApi(endpoint, "is not a JSON object")
    try:
        return _Reader(endpoint, document).entry(source)
    except KeyError as error:
        raise InvalidOpenApi(endpoint, f"refers to {error}, which it does not contain") from error
    except RecursionError as error:
        raise InvalidOpenApi(endpoint, "nests too deeply") from error
    except (AttributeError, OverflowError, TypeError, ValueError) as error:
        raise InvalidOpenApi(
            endpoint, "does not have the structure of fal's descriptions"
        ) from error


class _Reader:
    """A reader of one document."""

    def __init__(self, endpoint: str, document: Json) -> None:
        self.endpoint = endpoint
        self.document = document
        self.schemas = Schemas(document)

    def entry(self, source: str) -> Form:
        request = self._schema("post", "", "requestBody")
        result = self._schema("get", "/requests/{request_id}", "responses", "200")
        reader = Fields(self.schemas, prefix=f"{self.endpoint}:")
        names = [name for name, _ in ordered(request)]
        required = set(request.get("required", ()))
        schema = json_schema.self_contained(self.document, self._content("post", "", "requestBody"))
        if fault := RequestSchema(keywords=schema).fault():
            raise InvalidOpenApi(self.endpoint, f"is {fault}")
        model = {
            "request_type": str(request.get("title", "")),
            "required": [self._key(name) for name in names if name in required],
            "optional": [self._key(name) for name in names if name not in required],
            "rules": _joint_rules(request, set(names) - required),
            "json_schema": schema,
            "outputs": outputs.described(self.schemas, result),
            "source": [self._key("openapi")],
            **keywords.additional(request),
        }
        return {
            "sources": {self._key("openapi"): source},
            "fields": {
                self._key(name): reader.field(name, schema) | {"name": name}
                for name, schema in ordered(request)
            },
            "types": reader.types,
            "models": {self.endpoint: model},
        }

    def _key(self, name: str) -> str:
        return f"{self.endpoint}:{name}"

    def _content(self, method: Literal["get", "post"], below: str, *steps: str) -> Json:
        operation = self.document["paths"][f"/{self.endpoint}{below}"][method]
        for step in steps:
            operation = operation[step]
        content: Json = operation["content"]["application/json"]["schema"]
        return content

    def _schema(self, method: Literal["get", "post"], below: str, *steps: str) -> Json:
        path = f"/{self.endpoint}{below}"
        try:
            schema = self.schemas.resolved(self._content(method, below, *steps))
            schema["properties"].items()
        except (KeyError, TypeError, AttributeError) as error:
            sentence = f"has no schema for {method.upper()} {path}; is it for another endpoint?"
            raise InvalidOpenApi(self.endpoint, sentence) from error
        return schema


def _joint_rules(request: Json, optional: Set[str]) -> list[Form]:
    """Return the rules about several inputs that have a plainer sentence than the schema's."""
    names = [_only_required(member) for member in request.get("oneOf", ())]
    return [{"exactly_one": names}] if names and optional >= set(names) else []


def _only_required(member: Json) -> str:
    """Return the single input that this union member requires; "" if it says anything else."""
    constraints = {key for key in member if key not in {"type", "title", "description"}}
    names = member.get("required", ())
    return str(names[0]) if constraints == {"required"} and len(names) == 1 else ""
