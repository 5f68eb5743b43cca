"""pydantic's errors told in the words of the endpoint: what is allowed, and the nearest name."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches

from pydantic_core import ErrorDetails

from worker.catalogue.errors import Problem, shown
from worker.catalogue.inputs import Input, Kind

_OURS = {"unprintable", "empty", "not_url", "not_public", "url_too_long", "not_json"}
_UNKNOWN = "is not an input of this endpoint"
_MINTED = "falhook mints the callback address of each job itself; leave it out"
_RESERVED = {
    "webhook_url": _MINTED,
    "webhookUrl": _MINTED,
    "webhook": _MINTED,
    "fal_webhook": _MINTED,
    "callback_url": _MINTED,
    "input": "give the inputs themselves, without `input` around them",
    "arguments": "give the inputs themselves, without `arguments` around them",
}


def problem(error: ErrorDetails, inputs: tuple[Input, ...], taker: Callable[[str], str]) -> Problem:
    """One of pydantic's errors as a problem; `taker` knows an endpoint that takes such a name."""
    loc = error["loc"]
    if error["type"] == "extra_forbidden":
        return _unknown(loc, error["input"], _members(inputs, loc[:-1]), taker)
    item = _find(inputs, loc)
    if error["type"] == "missing":
        return Problem(path=path(loc), value="", message="is required", hint=_description(item))
    message = error["msg"] if error["type"] in _OURS or item is None else _requirement(item, loc)
    return Problem(
        path=path(loc),
        value=shown(error["input"], words=item is not None and item.kind is Kind.TEXT),
        message=message,
        hint=_hint(item, error),
    )


def misplaced(given: Iterable[str], inputs: tuple[Input, ...]) -> Iterator[Problem]:
    """Callback addresses among the inputs of an endpoint that takes any; fal would ignore them."""
    known = {item.name for item in inputs}
    for name in given:
        if _RESERVED.get(name) == _MINTED and name not in known:
            yield Problem(path=name, value="", message=_UNKNOWN, hint=_MINTED)


def path(loc: Sequence[str | int]) -> str:
    """`multi_prompt[0].duration`, printable and short whatever the caller's names are."""
    steps = [f"[{step}]" if isinstance(step, int) else f".{_name(step)}" for step in loc]
    return "".join(steps).removeprefix(".")


def _name(name: str) -> str:
    plain = name.isprintable() and len(name) <= _LONGEST_NAME and " " not in name
    return name if plain and name else shown(name)


_LONGEST_NAME = 40


def _members(inputs: tuple[Input, ...], loc: Sequence[str | int]) -> tuple[Input, ...]:
    item = _find(inputs, loc)
    return inputs if item is None else item.nested


def _find(inputs: tuple[Input, ...], loc: Sequence[str | int]) -> Input | None:
    found: Input | None = None
    for name in (step for step in loc if isinstance(step, str)):
        found = next((item for item in inputs if item.name == name), None)
        inputs = found.nested if found else ()
    return found


def _unknown(
    loc: Sequence[str | int],
    value: object,
    inputs: tuple[Input, ...],
    taker: Callable[[str], str],
) -> Problem:
    name = str(loc[-1])
    known = taker("".join("[]" if isinstance(step, int) else f".{step}" for step in loc)[1:])
    return Problem(
        path=path(loc),
        value=shown(value, words=True),
        message=_UNKNOWN,
        hint=_RESERVED.get(name) or _right_name(name, inputs, known),
    )


def _right_name(name: str, inputs: tuple[Input, ...], taker: str) -> str:
    for item in inputs:
        if name in item.also_called:
            return f"it is called {item.name} here"
    if taker:
        return f"{taker} takes it"
    names = [item.name for item in inputs]
    if near := get_close_matches(name, names, n=1):
        return f"did you mean {near[0]}?"
    return f"it takes {', '.join(names)}"


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
        case str() if error["type"] == "list_type":
            return 'put it in brackets: ["…"]'
        case str() if error["type"] == "local" and given.strip():
            return "a message names a file of the worker's as file:PATH"
        case str() if error["type"] == "not_public":
            return "give the file itself, or put it where everybody can fetch it"
        case str() if item is not None and item.kind is Kind.STRING and item.choices:
            return _nearest_choice(given, item.choices)
        case _:
            return ""


def _nearest_choice(given: str, choices: tuple[str | float, ...]) -> str:
    if not any(map(str.isalpha, given)):  # 16:10 is no misspelt 1:1
        return ""
    folded = {choice.casefold(): choice for choice in map(str, choices)}
    near = get_close_matches(given.strip().casefold()[:100], folded, n=1)
    if near:
        return f'did you mean "{folded[near[0]]}"?'
    return ""


def in_order(problems: Sequence[Problem], arguments: Mapping[str, object]) -> list[Problem]:
    """Each problem once, in the order in which the arguments were given, missing ones last."""
    places = {name: place for place, name in enumerate(arguments)}
    return sorted(
        dict.fromkeys(problems),
        key=lambda p: places.get(p.path.partition("[")[0].partition(".")[0], len(places)),
    )
