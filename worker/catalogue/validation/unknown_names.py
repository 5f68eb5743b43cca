"""Problems with names: unknown inputs with a suggestion, and names that JSON cannot carry."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from pydantic_core import ErrorDetails, PydanticCustomError

from worker.catalogue.errors import InputProblem, shown
from worker.catalogue.inputs import Input
from worker.catalogue.validation.paths import path
from worker.catalogue.validation.values import encodable
from worker.text import nearest

_UNKNOWN = "is not an input of this endpoint"
_CALLBACK = "falhook creates the callback URL of each job itself; leave it out"
_RESERVED = {
    "webhook_url": _CALLBACK,
    "webhookUrl": _CALLBACK,
    "webhook": _CALLBACK,
    "fal_webhook": _CALLBACK,
    "callback_url": _CALLBACK,
    "input": "pass the inputs themselves, without `input` around them",
    "arguments": "pass the inputs themselves, without `arguments` around them",
}
# Names for the address of a callback, which falhook itself sends.
CALLBACK_NAMES = frozenset(name for name, hint in _RESERVED.items() if hint == _CALLBACK)


def unknown(
    loc: Sequence[str | int],
    value: object,
    inputs: tuple[Input, ...],
    endpoint_for: Callable[[str], str],
) -> InputProblem:
    """Return the problem of an unknown name; `endpoint_for` returns an endpoint that accepts it."""
    name = str(loc[-1])
    endpoint = endpoint_for(
        "".join("[]" if isinstance(step, int) else f".{step}" for step in loc)[1:]
    )
    return InputProblem(
        path=path(loc),
        value=shown(value, words=True),
        message=_UNKNOWN,
        hint=_RESERVED.get(name) or _suggestion(name, inputs, endpoint),
    )


def _suggestion(name: str, inputs: tuple[Input, ...], endpoint: str) -> str:
    for item in inputs:
        if name in item.also_called:
            return f"it is called {item.name} here"
    if endpoint:
        return f"{endpoint} accepts it"
    names = [item.name for item in inputs]
    if (near := nearest(name, names)) is not None:
        return f"did you mean {near}?"
    return f"it accepts {', '.join(names)}"


def misplaced(names: Iterable[str], inputs: tuple[Input, ...]) -> Iterator[InputProblem]:
    """Yield a problem for each undeclared callback URL, which fal would ignore."""
    known = {item.name for item in inputs}
    for name in names:
        if name in CALLBACK_NAMES and name not in known:
            yield InputProblem(path=name, value="", message=_UNKNOWN, hint=_CALLBACK)


def unusable(error: ErrorDetails) -> InputProblem:
    """Return the problem of a name that JSON cannot carry; pydantic locates it at its object."""
    name = error["input"]
    message = "must be a string, because it is the name of an input"
    if isinstance(name, str):
        try:
            encodable(name)
        except PydanticCustomError as bad:
            message = bad.message()
    loc = [step for step in error["loc"] if step != "[key]"]
    parent = path(loc if isinstance(name, str) else loc[:-1])
    return InputProblem(path=f"{parent}.{shown(name)}".removeprefix("."), value="", message=message)
