"""Converts pydantic's errors into problems: the requirement of the input and the nearest choice."""

from collections.abc import Callable, Mapping, Sequence

from pydantic_core import ErrorDetails

from worker.catalogue.errors import InputProblem, shown
from worker.catalogue.inputs import Input, InputType
from worker.catalogue.validation import unknown_names
from worker.catalogue.validation.paths import find, members, path
from worker.catalogue.validation.text_values import is_words
from worker.text import nearest

# Pydantic's error types for a name with a lone surrogate and for one that is not a string.
_INVALID_NAMES = {"string_unicode", "invalid_key"}
# Error types of this package, whose messages are shown unchanged.
_OWN_TYPES = {
    "unprintable",
    "empty",
    "not_url",
    "not_public",
    "url_too_long",
    "not_json",
    "wrong_media",
}


def problem(
    error: ErrorDetails, inputs: tuple[Input, ...], endpoint_for: Callable[[str], str]
) -> InputProblem:
    """Convert an error of pydantic; `endpoint_for` returns an endpoint that accepts a name."""
    loc = error["loc"]
    if error["type"] == "extra_forbidden":
        return unknown_names.unknown(loc, error["input"], members(inputs, loc[:-1]), endpoint_for)
    item = find(inputs, loc)
    if error["type"] in _INVALID_NAMES and (item is None or item.kind is InputType.OBJECT):
        return unknown_names.unusable(error)
    if error["type"] == "missing":
        return InputProblem(
            path=path(loc), value="", message="is required", hint=_description(item)
        )
    message = (
        error["msg"] if error["type"] in _OWN_TYPES or item is None else _requirement(item, loc)
    )
    return InputProblem(
        path=path(loc),
        value=shown(error["input"], words=item is None or may_be_words(item)),
        message=message,
        hint=_hint(item, error),
    )


def may_be_words(item: Input) -> bool:
    """Return whether a string passed for this input may be a prompt."""
    if item.kind is InputType.OBJECT:
        return item.additional or any(map(may_be_words, item.nested))
    named_prose = item.kind is InputType.STRING and not item.choices and is_words(item.name)
    return named_prose or item.kind in {InputType.TEXT, InputType.ANY}


def _requirement(item: Input, loc: Sequence[str | int]) -> str:
    in_list = isinstance(loc[-1], int)
    return f"must be {item.allowed_items if item.many and not in_list else item.allowed}"


def _description(item: Input | None) -> str:
    return item.description.rstrip(".") if item else ""


def _hint(item: Input | None, error: ErrorDetails) -> str:
    value = error["input"]
    match value:
        case None:
            return "omit it to use the default"
        case str() if error["type"] == "list_type" and item is not None:
            return f"put it in brackets: [{_as_item(item)}]"
        case str() if error["type"] == "local" and value.strip():
            return "in a message, name a file on the worker as file:PATH"
        case str() if error["type"] == "not_public":
            return "pass the file itself or a public URL"
        case str() if item is not None and item.kind is InputType.STRING and item.choices:
            return hint_for_choice(value, item.choices)
        case _:
            return ""


def _as_item(item: Input) -> str:
    """Return a template of one list item as JSON, with … for its value."""
    if item.kind is InputType.OBJECT:
        chosen = [member for member in item.nested if member.required] or item.nested[:1]
        values = (f"[{_as_item(one)}]" if one.many else _as_item(one) for one in chosen)
        pairs = zip(chosen, values, strict=True)
        return "{" + ", ".join(f'"{member.name}": {value}' for member, value in pairs) + "}"
    quoted = item.kind not in {
        InputType.INTEGER,
        InputType.NUMBER,
        InputType.BOOLEAN,
        InputType.ANY,
    }
    return '"…"' if quoted else "…"


def hint_for_choice(value: str, choices: tuple[str | float, ...]) -> str:
    """Return a hint that names the most similar choice, or ""."""
    if not any(map(str.isalpha, value)):  # 16:10 is not a misspelt 1:1
        return ""
    folded = {choice.casefold(): choice for choice in map(str, choices)}
    near = nearest(value.strip().casefold()[:100], folded)
    return f'did you mean "{folded[near]}"?' if near is not None else ""


def in_order(
    problems: Sequence[InputProblem], arguments: Mapping[str, object]
) -> list[InputProblem]:
    """Return each problem once, in the order of the arguments, missing inputs last."""
    positions = {name: position for position, name in enumerate(arguments)}
    return sorted(
        dict.fromkeys(problems),
        key=lambda p: positions.get(p.path.partition("[")[0].partition(".")[0], len(positions)),
    )
