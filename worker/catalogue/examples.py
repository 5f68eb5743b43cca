"""Example inputs and the table of inputs, for people who look up an endpoint."""

from collections.abc import Iterator, Mapping
from typing import TypedDict

from worker.catalogue.inputs import Input, Kind
from worker.catalogue.rules import ExactlyOne, Rule

_SAMPLES: Mapping[Kind, object] = {
    Kind.TEXT: "A lighthouse at dusk, waves rolling in.",
    Kind.STRING: "example",
    Kind.URL: "https://storage.googleapis.com/falserverless/kling/kling_input.jpeg",
    Kind.SECONDS: "5",
    Kind.INTEGER: 1,
    Kind.NUMBER: 1.0,
    Kind.BOOLEAN: True,
    Kind.ANY: {},
}


def example(
    inputs: tuple[Input, ...], rules: tuple[Rule, ...], given: Mapping[str, object]
) -> dict[str, object]:
    """The required inputs, the first of each choice between inputs, the length, and `given`."""
    first = {rule.exactly_one[0] for rule in rules if isinstance(rule, ExactlyOne)}
    chosen = {
        item.name: _sample(item)
        for item in inputs
        if item.required or item.name in first or item.kind is Kind.SECONDS
    }
    return chosen | dict(given)


def _sample(item: Input) -> object:
    if item.example is not None:
        return item.example
    single = _single(item)
    return [single] * (item.min_items or 1) if item.many else single


def _single(item: Input) -> object:
    if item.nested:
        return {member.name: _sample(member) for member in item.nested if member.required}
    if item.default is not None:
        return item.default
    if item.choices:
        return item.choices[0]
    return item.minimum if item.minimum is not None else _SAMPLES[item.kind]


class Row(TypedDict):
    """One input as a table or `--json` shows it; `default` is None where there is none."""

    input: str
    type: str
    required: bool
    default: str | float | bool | None
    allowed: str
    choices: list[str]
    description: str


def rows(inputs: tuple[Input, ...]) -> list[Row]:
    """The inputs in their order, nested ones under theirs: `dynamic_masks[].mask_url`."""
    return list(_rows(inputs, ""))


def _rows(inputs: tuple[Input, ...], above: str) -> Iterator[Row]:
    for item in inputs:
        path = f"{above}{item.name}"
        yield Row(
            input=path,
            type=item.type,
            required=item.required,
            default=item.default,
            allowed=f"{item.allowed_items}, each {item.allowed}" if item.many else item.allowed,
            choices=list(item.choices),
            description=item.description,
        )
        yield from _rows(item.nested, f"{path}[]." if item.many else f"{path}.")
