"""pydantic's errors told in the words of the endpoint: what is allowed, and the nearest choice."""

from collections.abc import Callable, Mapping, Sequence

from pydantic_core import ErrorDetails

from worker.catalogue.errors import InputProblem, shown
from worker.catalogue.inputs import Input, InputType
from worker.catalogue.validation import unknown_names
from worker.catalogue.validation.paths import find, members, path
from worker.catalogue.validation.text_values import is_words
from worker.text import nearest

# What pydantic tells of names: one with a lone surrogate, one that is no text.
_NAMES = {"string_unicode", "invalid_key"}
_OURS = {"unprintable", "empty", "not_url", "not_public", "url_too_long", "not_json", "wrong_media"}


def problem(
    error: ErrorDetails, inputs: tuple[Input, ...], taker: Callable[[str], str]
) -> InputProblem:
    """One of pydantic's errors as a problem; `taker` knows an endpoint that takes such a name."""
    loc = error["loc"]
    if error["type"] == "extra_forbidden":
        return unknown_names.unknown(loc, error["input"], members(inputs, loc[:-1]), taker)
    item = find(inputs, loc)
    if error["type"] in _NAMES and (item is None or item.kind is InputType.OBJECT):
        return unknown_names.unusable(error)
    if error["type"] == "missing":
        return InputProblem(
            path=path(loc), value="", message="is required", hint=_description(item)
        )
    message = error["msg"] if error["type"] in _OURS or item is None else _requirement(item, loc)
    return InputProblem(
        path=path(loc),
        value=shown(error["input"], words=item is None or _may_be_words(item)),
        message=message,
        hint=_hint(item, error),
    )


def _may_be_words(item: Input) -> bool:
    """Whether a string that stands in this input's place may be a prompt."""
    if item.kind is InputType.OBJECT:
        return item.additional or any(map(_may_be_words, item.nested))
    named = item.kind is InputType.STRING and not item.choices and is_words(item.name)
    return named or item.kind in {InputType.TEXT, InputType.ANY}


def _requirement(item: Input, loc: Sequence[str | int]) -> str:
    in_list = isinstance(loc[-1], int)
    return f"must be {item.allowed_items if item.many and not in_list else item.allowed}"


def _description(item: Input | None) -> str:
    return item.description.rstrip(".") if item else ""


def _hint(item: Input | None, error: ErrorDetails) -> str:
    given = error["input"]
    match given:
        case None:
            return "leave it out for the default"
        case str() if error["type"] == "list_type" and item is not None:
            return f"put it in brackets: [{_as_item(item)}]"
        case str() if error["type"] == "local" and given.strip():
            return "a message names a file of the worker's as file:PATH"
        case str() if error["type"] == "not_public":
            return "give the file itself, or put it where everybody can fetch it"
        case str() if item is not None and item.kind is InputType.STRING and item.choices:
            return _nearest_choice(given, item.choices)
        case _:
            return ""


def _as_item(item: Input) -> str:
    """One item of such a list as JSON, its value left open."""
    if item.kind is InputType.OBJECT:
        shown_ones = [one for one in item.nested if one.required] or item.nested[:1]
        values = (f"[{_as_item(one)}]" if one.many else _as_item(one) for one in shown_ones)
        pairs = zip(shown_ones, values, strict=True)
        return "{" + ", ".join(f'"{one.name}": {value}' for one, value in pairs) + "}"
    quoted = item.kind not in {
        InputType.INTEGER,
        InputType.NUMBER,
        InputType.BOOLEAN,
        InputType.ANY,
    }
    return '"…"' if quoted else "…"


def _nearest_choice(given: str, choices: tuple[str | float, ...]) -> str:
    if not any(map(str.isalpha, given)):  # 16:10 is no misspelt 1:1
        return ""
    folded = {choice.casefold(): choice for choice in map(str, choices)}
    near = nearest(given.strip().casefold()[:100], folded)
    return f'did you mean "{folded[near]}"?' if near is not None else ""


def in_order(
    problems: Sequence[InputProblem], arguments: Mapping[str, object]
) -> list[InputProblem]:
    """Each problem once, in the order in which the arguments were given, missing ones last."""
    places = {name: place for place, name in enumerate(arguments)}
    return sorted(
        dict.fromkeys(problems),
        key=lambda p: places.get(p.path.partition("[")[0].partition(".")[0], len(places)),
    )
