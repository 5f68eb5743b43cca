"""An endpoint's OpenAPI description as an entry of the catalogue.

https://fal.ai/api/openapi/queue/openapi.json?endpoint_id=… : version 3.0, a path for the submit
and one for the result, the schemas among the components, in the order that
`x-fal-order-properties` gives.
"""

from collections.abc import Mapping, Set
from typing import Literal

from worker.catalogue.errors import RequestRejected
from worker.catalogue.openapi import keywords, outputs
from worker.catalogue.openapi.fields import Fields
from worker.catalogue.openapi.keywords import Form, Json
from worker.catalogue.openapi.schemas import Schemas, ordered

URL = "https://fal.ai/api/openapi/queue/openapi.json?endpoint_id={endpoint}"


class InvalidOpenApi(RequestRejected):
    """This is no description of that endpoint; the sentence says what is missing."""

    def __init__(self, endpoint: str, sentence: str) -> None:
        super().__init__("unreadable_description", f"the description of {endpoint} {sentence}")


def entry(endpoint: str, document: object, *, source: str) -> Form:
    """The tables of a catalogue file for this endpoint. Raises UnreadableDescription."""
    if not isinstance(document, Mapping):
        raise InvalidOpenApi(endpoint, "is no JSON object")
    try:
        return _Reader(endpoint, document).entry(source)
    except KeyError as error:
        raise InvalidOpenApi(endpoint, f"names {error}, which it does not hold") from error
    except (AttributeError, OverflowError, TypeError, ValueError) as error:
        raise InvalidOpenApi(endpoint, "has not the form that fal gives it") from error


class _Reader:
    """Reads one document."""

    def __init__(self, endpoint: str, document: Json) -> None:
        self.endpoint = endpoint
        self.document = document
        self.schemas = Schemas(document)

    def entry(self, source: str) -> Form:
        taken = self._schema("post", "", "requestBody")
        given = self._schema("get", "/requests/{request_id}", "responses", "200")
        reader = Fields(self.schemas, prefix=f"{self.endpoint}:")
        names = [name for name, _ in ordered(taken)]
        required = set(taken.get("required", ()))
        rules, left = _together(taken, set(names) - required)
        model = {
            "request_type": str(taken.get("title", "")),
            "required": [self._key(name) for name in names if name in required],
            "optional": [self._key(name) for name in names if name not in required],
            "rules": rules,
            "unchecked": left,
            "outputs": outputs.described(self.schemas, given),
            "source": [self._key("openapi")],
            **keywords.additional(taken),
        }
        return {
            "sources": {self._key("openapi"): source},
            "fields": {
                self._key(name): reader.field(name, schema) | {"name": name}
                for name, schema in ordered(taken)
            },
            "types": reader.types,
            "models": {self.endpoint: model},
        }

    def _key(self, name: str) -> str:
        return f"{self.endpoint}:{name}"

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
            raise InvalidOpenApi(self.endpoint, sentence) from error
        return schema


def _together(taken: Json, optional: Set[str]) -> tuple[list[Form], list[str]]:
    """What the schema asks of all inputs together: rules, and keywords that become none."""
    names = [_only_required(member) for member in taken.get("oneOf", ())]
    if not names or not optional >= set(names):
        return [], keywords.unchecked(taken, frozenset())
    return [{"exactly_one": names}], keywords.unchecked(taken, {"oneOf"})


def _only_required(member: Json) -> str:
    """The input that is all that this member of a union asks for; "" for any other member."""
    asked = {key for key in member if key not in {"type", "title", "description"}}
    names = member.get("required", ())
    return str(names[0]) if asked == {"required"} and len(names) == 1 else ""
