"""Where in the arguments a problem is: pydantic's locations as paths and inputs."""

from collections.abc import Sequence

from worker.catalogue.errors import shown
from worker.catalogue.inputs import Input

_LONGEST_NAME = 40


def path(loc: Sequence[str | int]) -> str:
    """`multi_prompt[0].duration`, printable and short whatever the caller's names are."""
    steps = [f"[{step}]" if isinstance(step, int) else f".{_name(step)}" for step in loc]
    return "".join(steps).removeprefix(".")


def _name(name: str) -> str:
    plain = name.isprintable() and len(name) <= _LONGEST_NAME and " " not in name
    return name if plain and name else shown(name)


def members(inputs: tuple[Input, ...], loc: Sequence[str | int]) -> tuple[Input, ...]:
    """What the object at this location may hold; the endpoint's inputs for none."""
    item = find(inputs, loc)
    return inputs if item is None else item.nested


def find(inputs: tuple[Input, ...], loc: Sequence[str | int]) -> Input | None:
    """The input, or the member of one, at this location; None where there is none."""
    found: Input | None = None
    for name in (step for step in loc if isinstance(step, str)):
        found = next((item for item in inputs if item.name == name), None)
        inputs = found.nested if found else ()
    return found
