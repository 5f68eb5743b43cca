"""Hypothesis strategies for valid and invalid arguments of any endpoint."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from worker.catalogue.catalogue import Catalogue
from worker.catalogue.endpoint import Endpoint, Status
from worker.catalogue.errors import InputProblem, InvalidArguments
from worker.catalogue.inputs import Input, InputType
from worker.catalogue.validation.rules import AtMost, ExactlyOne, Needs, SomeOf

Arguments = dict[str, Any]

CATALOGUE = Catalogue.load()
CHECKED = [
    model
    for model in CATALOGUE.search()
    if model.status not in {Status.WITHDRAWN, Status.ANNOUNCED}
]
PUBLISHED = json.loads((Path(__file__).parent / "catalogue_examples.json").read_text())
KLING = "fal-ai/kling-video"


def kling(path: str) -> Endpoint:
    """Return the endpoint at this path below Kling's usual prefix."""
    return CATALOGUE.find(f"{KLING}/{path}")


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30).filter(
    str.strip
)
URLS = st.from_regex(
    r"https?://[a-z]{1,9}\.example/[a-z0-9/]{0,20}(\?q=[a-z]{1,5})?", fullmatch=True
)
DATA_URIS = st.from_regex(r"data:image/png;base64,[A-Za-z0-9+/]{4,20}=?", fullmatch=True)


def _single(item: Input) -> st.SearchStrategy[Any]:
    if item.kind is InputType.SECONDS:
        strings = st.sampled_from(item.choices)
        return strings | strings.map(int) | strings.map(float)
    if item.choices:
        return st.sampled_from(item.choices)
    least, most = item.minimum, item.maximum
    of_kind: Mapping[InputType, Callable[[], st.SearchStrategy[Any]]] = {
        InputType.TEXT: lambda: WORDS,
        InputType.STRING: lambda: WORDS,
        InputType.URL: lambda: URLS | DATA_URIS,
        InputType.INTEGER: lambda: st.integers(
            -(10**6) if least is None else int(least), 10**6 if most is None else int(most)
        ),
        InputType.NUMBER: lambda: st.floats(least, most, allow_nan=False, allow_infinity=False),
        InputType.BOOLEAN: st.booleans,
        InputType.OBJECT: lambda: objects(item.nested),
        InputType.ANY: lambda: st.just({"a": [1, None]}),
    }
    return of_kind[item.kind]()


def values(item: Input) -> st.SearchStrategy[Any]:
    """Draw values that the input accepts."""
    if not item.many:
        return _single(item)
    least = item.min_items or 0
    return st.lists(_single(item), min_size=least, max_size=item.max_items or least + 2)


def objects(inputs: tuple[Input, ...]) -> st.SearchStrategy[Arguments]:
    """Draw every required input and any of the others."""
    return st.fixed_dictionaries(
        {item.name: values(item) for item in inputs if item.required},
        optional={item.name: values(item) for item in inputs if not item.required},
    )


@st.composite
def arguments(draw: st.DrawFn, model: Endpoint) -> Arguments:
    """Draw valid arguments, which also satisfy the rules of the endpoint."""
    drawn = draw(objects(model.inputs))
    inputs = {item.name: item for item in model.inputs}
    # SomeOf adds values, so it runs after the rules that remove some.
    for rule in sorted(model.rules, key=lambda rule: isinstance(rule, SomeOf)):
        match rule:
            case ExactlyOne(exactly_one=names):
                kept = draw(st.sampled_from(names))
                drawn = {name: value for name, value in drawn.items() if name not in names}
                drawn[kept] = draw(values(inputs[kept]))
            case Needs() if rule.input in drawn:
                drawn[rule.needs] = rule.equal
            case AtMost():
                _shorten(rule, drawn)
            case SomeOf(each=many, some_of=names):
                member = next(item for item in inputs[many].nested if item.name == names[0])
                for element in drawn.get(many, ()):
                    if not any(map(element.get, names)):
                        element[member.name] = draw(values(member))
    return drawn


def _shorten(rule: AtMost, drawn: Arguments) -> None:
    for path in rule.of:
        name, _, member = path.partition("[].")
        most = rule.at_most // len(rule.of)
        if name in drawn and not member:
            drawn[name] = drawn[name][:most]
        for element in drawn.get(name, ())[most:] if member else ():
            element.pop(member, None)


def as_sent(inputs: tuple[Input, ...], given: Arguments) -> Arguments:
    """Return the arguments for fal: lengths in seconds become strings."""
    return {item.name: _sent(item, given[item.name]) for item in inputs if item.name in given}


def _sent(item: Input, value: Any) -> Any:
    if isinstance(value, list):
        return [_sent(item, element) for element in value]
    if item.kind is InputType.SECONDS:
        return str(int(value))
    return as_sent(item.nested, value) if item.nested else value


@st.composite
def spoilt(draw: st.DrawFn, model: Endpoint) -> tuple[Arguments, str]:
    """Draw arguments with one problem, and the path that the error must name."""
    valid = draw(arguments(model))
    item = draw(st.sampled_from([item for item in model.inputs if item.name in valid]))
    unknown = [] if model.additional else ["unknown"]
    problem = draw(st.sampled_from([*unknown, "dropped", "value"]))
    if problem == "unknown":
        name = draw(WORDS.filter(lambda name: name.isidentifier()) | st.just("prompt_url"))
        known = {other.name for other in model.inputs}
        return (valid | {name: 1}, name) if name not in known else (valid | {"zzz": 1}, "zzz")
    if problem == "dropped" and item.required:
        return {name: value for name, value in valid.items() if name != item.name}, item.name
    value, below = draw(_invalid(item))
    return valid | {item.name: value}, item.name + below


@st.composite
def _invalid(draw: st.DrawFn, item: Input) -> tuple[Any, str]:
    if item.many:
        bad, below = draw(_invalid_single(item))
        good = draw(st.lists(_single(item), max_size=(item.max_items or 3) - 1))
        index = draw(st.integers(0, len(good)))
        return [*good[:index], bad, *good[index:]], f"[{index}]{below}"
    return draw(_invalid_single(item))


@st.composite
def _invalid_single(draw: st.DrawFn, item: Input) -> tuple[Any, str]:
    if bool(item.nested) and draw(st.booleans()):
        member = draw(st.sampled_from(item.nested))
        value, below = draw(_invalid(member))
        return draw(_single(item)) | {member.name: value}, f".{member.name}{below}"
    bad: list[Any] = [{1, 2}] if item.kind is InputType.ANY else [None, {1, 2}, [[]]]
    bad += [True, "yes", 0.25] if item.kind is InputType.INTEGER else []
    bad += [True, "0.5", float("nan"), float("inf")] if item.kind is InputType.NUMBER else []
    bad += [0, 1, "true"] if item.kind is InputType.BOOLEAN else []
    bad += [7, True, "\ud800", "a\x00b"] if item.kind in {InputType.TEXT, InputType.STRING} else []
    bad += (
        ["", "cat.jpg", "/tmp/cat.jpg", "file:///cat.jpg", 7] if item.kind is InputType.URL else []
    )
    bad += [True, 2.5, 99, "99", "5s", ""] if item.kind is InputType.SECONDS else []
    bad += [f"{item.choices[0]}x"] if item.choices else []
    bad += [] if item.minimum is None else [item.minimum - 1]
    bad += [] if item.maximum is None else [item.maximum + 1]
    bad += ["x" * (item.max_length + 1)] if item.max_length and item.kind is InputType.TEXT else []
    return draw(st.sampled_from(bad)), ""


def refused(model: Endpoint, invalid: Arguments) -> dict[str, InputProblem]:
    """Return the problems by path."""
    with pytest.raises(InvalidArguments) as caught:
        model.check(invalid)
    return {problem.path: problem for problem in caught.value.problems}
