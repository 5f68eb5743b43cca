"""The JSON Schema of an endpoint's arguments, for clients that check them or build forms.

It accepts what `Endpoint.check` accepts, and refuses what that refuses, as far as JSON Schema can:
it cannot tell 5 from 5.0, nor whether fal can reach a URL.
https://json-schema.org/draft/2020-12
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from worker.catalogue.endpoint import Endpoint
from worker.catalogue.inputs import Input, InputType
from worker.catalogue.rule_schemas import rule_schema
from worker.catalogue.validation.sync_mode import NAME as SYNC_MODE
from worker.catalogue.validation.unknown_names import CALLBACK_NAMES
from worker.catalogue.validation.values import INT64
from worker.formats.media_types import BY_EXTENSION

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
# Characters that no text may contain: worker/catalogue/validation/values.py.
_CONTROL = r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f"
_TEXT = f"^[^{_CONTROL}]*$"
_WORDS = rf"^[^{_CONTROL}]*[^{_CONTROL}\s][^{_CONTROL}]*$"
_INVISIBLE = r"\u0000-\u001f\u007f-\u009f"
_WEB_ADDRESS = r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s/?#\\]\S*$"
_DATA_URI = f"^data:[^,{_INVISIBLE}]*,[^{_INVISIBLE}]+$"
_SECONDS = r"^[1-9][0-9]{0,3}$"
_LONGEST_SECONDS = 9999


def arguments_schema(model: Endpoint) -> Schema:
    """Return the schema: fal's own, if the endpoint was added with one, else that of its inputs."""
    if model.json_schema is not None:
        return {"$schema": DIALECT, "title": model.endpoint, **model.json_schema.keywords}
    schema = _object(model.inputs, additional=model.additional)
    if model.additional:
        declared = {item.name for item in model.inputs}
        ours = sorted(CALLBACK_NAMES - declared)
        schema["propertyNames"] = {"not": {"enum": ours}}
    declared_inputs = {item.name: item for item in model.inputs}
    rules = [found for rule in model.rules if (found := rule_schema(rule, declared_inputs))]
    return {
        "$schema": DIALECT,
        "title": model.endpoint,
        **schema,
        **({"allOf": rules} if rules else {}),
    }


def _object(inputs: tuple[Input, ...], *, additional: bool) -> Schema:
    required = [item.name for item in inputs if item.required]
    return {
        "type": "object",
        "properties": {item.name: _input(item) for item in inputs},
        **({"required": required} if required else {}),
        "additionalProperties": additional,
    }


def _input(item: Input) -> Schema:
    schema = _SCHEMAS[item.kind](item)
    if item.many:
        bounds = {"minItems": item.min_items, "maxItems": item.max_items}
        schema = {"type": "array", "items": schema, **_given(bounds)}
    facts = {
        "description": _description(item) or None,
        "default": item.default,
        "examples": None if item.example is None else [item.example],
    }
    return {**schema, **_given(facts)}


def _description(item: Input) -> str:
    """Return what fal says of the input, and what files it takes, which no keyword can say."""
    sentences = [item.description]
    if item.kind is InputType.URL:
        sides = f" with {item.dimensions}" if item.dimensions else ""
        files = f" ({', '.join(item.formats)})" if item.formats else ""
        sentences.append(f"A web address, a data URI or an upload://{files}{sides}")
    return " ".join(f"{each.strip().rstrip('.')}." for each in sentences if each.strip())


def _given(keywords: Mapping[str, object]) -> Schema:
    return {name: value for name, value in keywords.items() if value is not None}


def _words(item: Input) -> Schema:
    bounds = {"minLength": item.min_length, "maxLength": item.max_length}
    pattern = _TEXT if item.may_be_empty else _WORDS
    return {"type": "string", "pattern": pattern, **_given(bounds)}


def _string(item: Input) -> Schema:
    return {"type": "string", "enum": list(item.choices)} if item.choices else _words(item)


def _url(item: Input) -> Schema:
    known = item.formats or tuple(BY_EXTENSION)
    extensions = [e for e in known if e in BY_EXTENSION and _family(e) in item.families]
    forms: list[Schema] = [
        {"pattern": _WEB_ADDRESS, **_given({"maxLength": item.max_length})},
        {"pattern": _DATA_URI},
    ]
    if extensions:
        forms.append({"pattern": rf"^upload://[0-9a-f]{{64}}\.({'|'.join(extensions)})$"})
    return {"type": "string", "format": "iri", "anyOf": forms}


def _family(extension: str) -> str:
    return BY_EXTENSION[extension].family


def _seconds(item: Input) -> Schema:
    if item.choices:
        texts = [str(each) for each in item.choices]
        numbers = [int(each) for each in texts if re.fullmatch(_SECONDS, each)]
        return {"enum": [*item.choices, *numbers]}
    number = {"type": "integer", "minimum": 1, "maximum": _LONGEST_SECONDS}
    return {"anyOf": [{"type": "string", "pattern": _SECONDS}, number]}


def _integer(item: Input) -> Schema:
    bounds: Schema = {"minimum": -INT64, "maximum": INT64 - 1}
    return {"type": "integer", **bounds, **_bounds(item)}


def _number(item: Input) -> Schema:
    return {"type": "number", **_bounds(item)}


def _bounds(item: Input) -> Schema:
    return _given(
        {
            "minimum": item.minimum,
            "maximum": item.maximum,
            "exclusiveMinimum": item.exclusive_minimum,
            "exclusiveMaximum": item.exclusive_maximum,
            "enum": list(item.choices) or None,
        }
    )


def _boolean(item: Input) -> Schema:
    # Whatever fal accepts: see validation/sync_mode.py.
    return {"type": "boolean", **({"const": False} if item.name == SYNC_MODE else {})}


def _nested(item: Input) -> Schema:
    return _object(item.nested, additional=item.additional)


def _anything(_: Input) -> Schema:
    return {}


_SCHEMAS: Mapping[InputType, Callable[[Input], Schema]] = {
    InputType.TEXT: _words,
    InputType.STRING: _string,
    InputType.URL: _url,
    InputType.SECONDS: _seconds,
    InputType.INTEGER: _integer,
    InputType.NUMBER: _number,
    InputType.BOOLEAN: _boolean,
    InputType.OBJECT: _nested,
    InputType.ANY: _anything,
}
