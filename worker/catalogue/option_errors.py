"""Errors of platform options, without pydantic's wording."""

from collections.abc import Sequence

from pydantic_core import ErrorDetails

from worker.catalogue.errors import InputProblem, RequestRejected, shown
from worker.catalogue.validation.paths import path

_AN_OBJECT = "must be an object"
_TYPES = {
    "model_type": _AN_OBJECT,
    "dict_type": _AN_OBJECT,
    "list_type": "must be a list",
    "string_type": "must be a string",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
}


class InvalidOptions(RequestRejected):
    """Options that fal does not accept; `problems` lists everything that is wrong."""

    def __init__(self, problems: list[InputProblem]) -> None:
        lines = "".join(f"\n  {problem}" for problem in problems)
        super().__init__("invalid_options", f"fal does not accept these options:{lines}")
        self.problems = tuple(problems)


def problem(error: ErrorDetails, known: Sequence[str]) -> InputProblem:
    """Convert an error of pydantic; `known` are the names of all options."""
    loc = [step for step in error["loc"] if step != "[key]"]
    if error["type"] == "extra_forbidden":
        hint = f"the options are {', '.join(known)}" if len(loc) == 1 else ""
        return InputProblem(path=path(loc), value="", message="is not an option", hint=hint)
    words = error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    message = _TYPES.get(error["type"], words)
    value = shown(error["input"]) if loc else ""
    return InputProblem(path=path(loc) or "options", value=value, message=message)
