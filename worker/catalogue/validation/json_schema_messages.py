"""Converts errors of the JSON Schema validator into problems, in plain English."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from worker.catalogue.errors import InputProblem, shown
from worker.catalogue.inputs import Input
from worker.catalogue.phrases import one_of
from worker.catalogue.validation.messages import hint_for_choice, may_be_words
from worker.catalogue.validation.paths import find, path
from worker.catalogue.validation.text_values import is_words
from worker.text import nearest, printable

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError

ARGUMENTS = "arguments"
_MUST_BE = "must be "
_TYPES = {
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}
_FORMATS = {
    "iri": "a URL",
    "iri-reference": "a URL or a part of one",
    "date": "a date such as 2026-12-31",
    "time": "a time with its zone, such as 23:59:00Z",
    "date-time": "a date and time with its zone, such as 2026-12-31T23:59:00Z",
    "duration": "a duration such as PT5S",
    "email": "an e-mail address",
    "uuid": "a UUID",
    "ipv4": "an IPv4 address",
    "ipv6": "an IPv6 address",
    "hostname": "a host name",
    "regex": "a regular expression",
    "byte": "base64",
}
_LONGEST_PATTERN = 120


def problems(
    error: "ValidationError", inputs: tuple[Input, ...], schema: Mapping[str, Any]
) -> Iterator[InputProblem]:
    """Yield the problems of one error: those of the nearest member, if it is about a union."""
    match error.kind.name:
        case "anyOf" | "oneOf" if branch := _nearest_branch(error):
            for inner in branch:
                yield from problems(inner, inputs, schema)
        case "additionalProperties" | "unevaluatedProperties":
            for name in error.kind.unexpected:  # type: ignore[attr-defined]
                yield _unexpected(error, name, schema)
        case "required":
            loc = [*error.instance_path, error.kind.property]  # type: ignore[attr-defined]
            item = find(inputs, loc)
            hint = item.description.rstrip(".") if item else ""
            yield InputProblem(path=path(loc), value="", message="is required", hint=hint)
        case _:
            yield _single(error, inputs)


def _single(error: "ValidationError", inputs: tuple[Input, ...]) -> InputProblem:
    loc = error.instance_path
    value = error.instance
    return InputProblem(
        path=path(loc) or ARGUMENTS,
        value=shown(value, words=_may_be_words(error, find(inputs, loc))) if loc else "",
        message=_requirement(error),
        hint=_hint(error, value),
    )


def _may_be_words(error: "ValidationError", item: Input | None) -> bool:
    """Return whether the value may be a prompt: any text without a declared input and choices."""
    if item is None:
        names = [step for step in error.instance_path if isinstance(step, str)]
        return not hasattr(error.kind, "options") or any(map(is_words, names))
    return may_be_words(item)


def _hint(error: "ValidationError", value: object) -> str:
    if value is None:
        return "omit it to use the default"
    options = getattr(error.kind, "options", ())
    words = tuple(option for option in options if isinstance(option, str))
    return hint_for_choice(value, words) if isinstance(value, str) and words else ""


def _unexpected(error: "ValidationError", name: str, schema: Mapping[str, Any]) -> InputProblem:
    known = list(_parent(schema, error.schema_path).get("properties", {}))
    near = nearest(name[:100], known)
    accepted = f"it accepts {', '.join(known)}" if known else ""
    return InputProblem(
        path=path([*error.instance_path, name]),
        value="",
        message="is not accepted here",
        hint=accepted if near is None else f"did you mean {near}?",
    )


def _parent(schema: Mapping[str, Any], steps: Sequence[str | int]) -> Mapping[str, Any]:
    """Return the schema that has the keyword at the end of these steps; an empty one if none."""
    part: Any = schema
    for step in steps[:-1]:
        try:
            part = part[step]
        except (LookupError, TypeError):
            return {}
    return part if isinstance(part, Mapping) else {}


def _nearest_branch(error: "ValidationError") -> "list[ValidationError]":
    """Return the errors of the only member of a union whose type fits; [] if no member fits."""
    branches: list[list[ValidationError]] = getattr(error.kind, "context", [])
    fits = [branch for branch in branches if not any(_is_type(inner, error) for inner in branch)]
    return fits[0] if len(fits) == 1 and all(branches) else []


def _is_type(inner: "ValidationError", union: "ValidationError") -> bool:
    """Return whether the value itself, and not a part of it, is of the wrong type."""
    kinds = {"type", "const", "enum", "falseSchema"}
    return inner.kind.name in kinds and inner.instance_path == union.instance_path


def _requirement(error: "ValidationError") -> str:
    """Return the sentence about the value, such as "must be at least 3"."""
    kind: Any = error.kind
    name = kind.name
    if name in _BOUNDS:
        words, unit = _BOUNDS[name]
        return f"{words} {_number(kind)}{unit}"
    if name in _SENTENCES:
        return _SENTENCES[name](kind)
    return _OTHERS.get(name, f"does not fit the keyword {name} of fal's schema")


def _type(kind: Any) -> str:
    return f"{_MUST_BE}{' or '.join(_TYPES.get(name, name) for name in kind.types)}"


def _enum(kind: Any) -> str:
    return f"{_MUST_BE}{one_of(tuple(kind.options))}"


def _const(kind: Any) -> str:
    return f"{_MUST_BE}{one_of((kind.expected_value,)).removeprefix('one of ')}"


def _format(kind: Any) -> str:
    return f"{_MUST_BE}{_FORMATS.get(kind.format, f'a valid {kind.format}')}"


def _pattern(kind: Any) -> str:
    if not hasattr(kind, "pattern"):
        return "is too long or too complex to be compared with a pattern in fal's schema"
    text = kind.pattern[:_LONGEST_PATTERN] + "…" * (len(kind.pattern) > _LONGEST_PATTERN)
    return f"must match the pattern {printable(text)}"


def _name(kind: Any) -> str:
    name = shown(kind.error.instance)
    return f"must not have a member {name}, whose name {_requirement(kind.error)}"


def _union(kind: Any) -> str:
    if not all(kind.context):
        return f"must fit only one of {len(kind.context)} forms, but fits several"
    return _MUST_BE + ", or ".join(dict.fromkeys(map(_form, kind.context)))


def _form(branch: "list[ValidationError]") -> str:
    """Return what one member of a union requires of the value, such as "an object with width"."""
    kinds: list[Any] = [error.kind for error in branch]
    if needed := [kind.property for kind in kinds if kind.name == "required"]:
        return f"an object with {' and '.join(map(printable, needed))}"
    # A type comes before an enum, which says more.
    return _requirement(branch[-1]).removeprefix(_MUST_BE)


def _excluded(kind: Any) -> str:
    match kind.schema:
        case {"required": [*names]} if names:
            return f"must not have {' together with '.join(map(printable, names))}"
        case {"enum": [*values]} if values:
            return f"must not be {one_of(tuple(values))}"
        case {"const": value}:
            return f"must not be {one_of((value,)).removeprefix('one of ')}"
    return "has a form that fal's schema excludes"


_SENTENCES: Mapping[str, Callable[[Any], str]] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "format": _format,
    "pattern": _pattern,
    "propertyNames": _name,
    "anyOf": _union,
    "oneOf": _union,
    "not": _excluded,
}
_BOUNDS = {
    "minimum": ("must be at least", ""),
    "maximum": ("must be at most", ""),
    "exclusiveMinimum": ("must be above", ""),
    "exclusiveMaximum": ("must be below", ""),
    "multipleOf": ("must be a multiple of", ""),
    "minLength": ("must have at least", " characters"),
    "maxLength": ("must have at most", " characters"),
    "minItems": ("must have at least", " items"),
    "maxItems": ("must have at most", " items"),
    "minProperties": ("must have at least", " members"),
    "maxProperties": ("must have at most", " members"),
}
_OTHERS = {
    "uniqueItems": "must not have the same item twice",
    "contains": "must have an item that fal's schema requires",
    "falseSchema": "is not accepted here",
    "unevaluatedItems": "must not have so many items",
    "additionalItems": "must not have so many items",
}


def _number(kind: Any) -> str:
    limit = getattr(kind, "limit", None)
    limit = getattr(kind, "multiple_of", None) if limit is None else limit
    return f"{limit:,}" if isinstance(limit, int | float | Decimal) else str(limit)
