"""Example arguments and the table of inputs that `falhook models show` prints."""

import math
from collections.abc import Iterator, Mapping
from itertools import cycle, islice
from typing import TypedDict

from worker.catalogue.inputs import Input, InputType
from worker.catalogue.validation.rules import ExactlyOne, Rule

_SAMPLES: Mapping[InputType, object] = {
    InputType.TEXT: "A lighthouse at dusk, waves rolling in.",
    InputType.STRING: "example",
    InputType.SECONDS: "5",
    InputType.INTEGER: 1,
    InputType.NUMBER: 1.0,
    InputType.BOOLEAN: True,
    InputType.ANY: {},
}
# From fal's model pages, so that an example can be rendered.
_FILES: Mapping[str, str] = {
    "image": "https://storage.googleapis.com/falserverless/kling/kling_input.jpeg",
    "video": "https://storage.googleapis.com/falserverless/kling/kling_i2v_output.mp4",
    "audio": "https://storage.googleapis.com/falserverless/kling/kling-audio.mp3",
}


def example(
    inputs: tuple[Input, ...], rules: tuple[Rule, ...], overrides: Mapping[str, object]
) -> dict[str, object]:
    """Return the required inputs, the first of each `exactly_one`, the length, and `overrides`."""
    first = {rule.exactly_one[0] for rule in rules if isinstance(rule, ExactlyOne)}
    chosen = {
        item.name: _sample(item)
        for item in inputs
        if item.required or item.name in first or item.kind is InputType.SECONDS
    }
    return chosen | dict(overrides)


def _sample(item: Input) -> object:
    # The example or default in fal's description may break its own bounds.
    if item.example is not None and _fits(item, item.example):
        return item.example
    value = _single(item)
    return [value] * (item.min_items or 1) if item.many else value


def _fits(item: Input, value: object) -> bool:
    # Imported here: the rows of a table need neither, and the packaged examples are ready.
    from pydantic import ValidationError  # noqa: PLC0415

    from worker.catalogue.validation.arguments import schema  # noqa: PLC0415

    try:
        schema((item,)).model_validate({item.name: value})
    except ValidationError:
        return False
    return True


def _single(item: Input) -> object:
    if item.nested:
        return {member.name: _sample(member) for member in item.nested if member.required}
    if item.default is not None and _fits(item, item.default):
        return item.default
    if item.choices:
        return item.choices[0]
    if item.kind is InputType.URL:
        return next(url for family, url in _FILES.items() if family in item.families)
    if item.kind in {InputType.TEXT, InputType.STRING}:
        return _words(item, str(_SAMPLES[item.kind]))
    return (
        _number(item) if item.kind in {InputType.INTEGER, InputType.NUMBER} else _SAMPLES[item.kind]
    )


def _words(item: Input, sample: str) -> str:
    length = max(item.min_length or 0, min(len(sample), item.max_length or len(sample)))
    return "".join(islice(cycle(sample), length))


def _number(item: Input) -> object:
    """Return a number within the bounds that is easy to read."""
    low, high = item.exclusive_minimum, item.exclusive_maximum
    if item.minimum is not None:
        return item.minimum
    if low is not None:
        high = min(end for end in (high, item.maximum, math.inf) if end is not None)
        return low + 1 if low + 1 < high else (low + high) / 2
    limits = [item.maximum] if item.maximum is not None else []
    limits += [high - 1] if high is not None else []
    return min([1 if item.kind is InputType.INTEGER else 1.0, *limits])


class Row(TypedDict):
    """One input in a table or in `--json`; `default` is None if it has none."""

    input: str
    type: str
    required: bool
    default: str | float | bool | None
    allowed: str
    choices: list[str | float]
    description: str
    unchecked: list[str]


def rows(inputs: tuple[Input, ...]) -> list[Row]:
    """Return the inputs in order, each followed by its nested ones: `dynamic_masks[].mask_url`."""
    return list(_rows(inputs, ""))


def _rows(inputs: tuple[Input, ...], prefix: str) -> Iterator[Row]:
    for item in inputs:
        path = f"{prefix}{item.name}"
        yield Row(
            input=path,
            type=item.type,
            required=item.required,
            default=item.default,
            allowed=f"{item.allowed_items}, each {item.allowed}" if item.many else item.allowed,
            choices=list(item.choices),
            description=item.description,
            unchecked=list(item.unchecked),
        )
        yield from _rows(item.nested, f"{path}[]." if item.many else f"{path}.")
