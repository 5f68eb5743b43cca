"""Names that are no input of an endpoint, met with the right one; names that nothing can have."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from pydantic_core import ErrorDetails, PydanticCustomError

from worker.catalogue.errors import InputProblem, shown
from worker.catalogue.inputs import Input
from worker.catalogue.validation.paths import path
from worker.catalogue.validation.values import encodable
from worker.text import nearest

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


def unknown(
    loc: Sequence[str | int],
    value: object,
    inputs: tuple[Input, ...],
    taker: Callable[[str], str],
) -> InputProblem:
    """A name that none of these inputs has; `taker` knows an endpoint that takes it."""
    name = str(loc[-1])
    known = taker("".join("[]" if isinstance(step, int) else f".{step}" for step in loc)[1:])
    return InputProblem(
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
    if (near := nearest(name, names)) is not None:
        return f"did you mean {near}?"
    return f"it takes {', '.join(names)}"


def misplaced(given: Iterable[str], inputs: tuple[Input, ...]) -> Iterator[InputProblem]:
    """Callback addresses among the inputs of an endpoint that takes any; fal would ignore them."""
    known = {item.name for item in inputs}
    for name in given:
        if _RESERVED.get(name) == _MINTED and name not in known:
            yield InputProblem(path=name, value="", message=_UNKNOWN, hint=_MINTED)


def unusable(error: ErrorDetails) -> InputProblem:
    """A name that JSON cannot carry; pydantic tells of it where the object stands."""
    name = error["input"]
    message = "must be a text, since it is the name of an input"
    if isinstance(name, str):
        try:
            encodable(name)
        except PydanticCustomError as bad:
            message = bad.message()
    above = [step for step in error["loc"] if step != "[key]"]
    inside = path(above if isinstance(name, str) else above[:-1])
    return InputProblem(path=f"{inside}.{shown(name)}".removeprefix("."), value="", message=message)
