"""Pydantic's error locations as paths for display, and the inputs at them."""

from collections.abc import Sequence

from worker.catalogue.errors import shown
from worker.catalogue.inputs import Input

_LONGEST_NAME = 40


def path(loc: Sequence[str | int]) -> str:
    """Return a path such as `multi_prompt[0].duration`, printable and short for any names."""
    steps = [f"[{step}]" if isinstance(step, int) else f".{_name(step)}" for step in loc]
    return "".join(steps).removeprefix(".")


def _name(name: str) -> str:
    plain = name.isprintable() and len(name) <= _LONGEST_NAME and " " not in name
    return name if plain and name else shown(name)


def members(inputs: tuple[Input, ...], loc: Sequence[str | int]) -> tuple[Input, ...]:
    """Return the members of the object at this location; the endpoint's inputs at the top."""
    item = find(inputs, loc)
    return inputs if item is None else item.nested


def find(inputs: tuple[Input, ...], loc: Sequence[str | int]) -> Input | None:
    """Return the input or nested member at this location, or None."""
    match: Input | None = None
    for name in (step for step in loc if isinstance(step, str)):
        match = next((item for item in inputs if item.name == name), None)
        inputs = match.nested if match else ()
    return match
