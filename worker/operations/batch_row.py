"""A row of a file of jobs as the order that it makes; what it leaves out, the command line says."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from worker.catalogue.endpoint import Endpoint
from worker.catalogue.errors import InputProblem, shown
from worker.catalogue.options import Options, merged
from worker.catalogue.validation.paths import path
from worker.operations.batch_file import Cell, InvalidRow
from worker.operations.request import JobRequest
from worker.operations.validation import Validator
from worker.text import UnusableJson, nearest


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    arguments: dict[str, Any]
    id: str | None = None
    endpoint: str | None = None
    metadata: dict[str, Any] = {}
    options: dict[str, Any] = {}
    unchecked: bool = False


_KNOWN = tuple(_Row.model_fields)
_EXAMPLE = '{"arguments": {"prompt": "…"}}'
_TYPES = {
    "dict_type": "must be an object",
    "string_type": "must be a text",
    "bool_type": "must be true or false",
}


def order_of(row: Mapping[str, Any], order: JobRequest, checks: Validator) -> JobRequest:
    """The order of this row; `order` holds what it leaves out. Raises BadRow or a Refusal."""
    try:
        given = _Row.model_validate(dict(row))
    except ValidationError as invalid:
        raise InvalidRow(*_problems(invalid.errors(include_url=False))) from None
    endpoint = given.endpoint or order.endpoint
    if not endpoint:
        raise InvalidRow("names no endpoint, and the command line names none for all")
    unchecked = given.unchecked or order.unchecked
    model = checks.find(endpoint, unchecked=unchecked)
    return replace(
        order,
        endpoint=endpoint,
        arguments={name: _typed(model, name, value) for name, value in given.arguments.items()},
        metadata={**order.metadata, **given.metadata},
        job_id=given.id,
        options=merged(order.options, _options(given.options)),
        unchecked=unchecked,
    )


def _typed(model: Endpoint, name: str, value: object) -> object:
    return model.typed(name, str(value)) if isinstance(value, Cell) else value


def _options(given: Mapping[str, object]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in given.items():
        try:
            found[name] = Options.typed(name, str(value)) if isinstance(value, Cell) else value
        except UnusableJson as unusable:
            place = path(("options", name))
            raise InvalidRow(InputProblem(path=place, value="", message=f"is {unusable}")) from None
    return found


def _problems(errors: Sequence[ErrorDetails]) -> list[InputProblem]:
    unknown = [error for error in errors if error["type"] == "extra_forbidden"]
    guesses = {_guess(error) for error in unknown}
    missing = {"missing"} if "arguments" in guesses else set()
    if any(error["type"] == "missing" for error in errors) and not guesses - {""}:
        return [_flat(unknown)]
    return [_problem(error) for error in errors if error["type"] not in missing]


def _guess(error: ErrorDetails) -> str:
    return nearest(str(error["loc"][0])[:100], _KNOWN) or ""


def _flat(unknown: Sequence[ErrorDetails]) -> InputProblem:
    """A row that holds its inputs themselves, or none."""
    names = ", ".join(shown(error["loc"][0]) for error in unknown)
    hint = f"put {names} under it: {_EXAMPLE}" if names else f"a job looks like {_EXAMPLE}"
    return InputProblem(path="arguments", value="", message="is missing", hint=hint)


def _problem(error: ErrorDetails) -> InputProblem:
    place = path(error["loc"])
    value = shown(error["input"], words=True)
    if error["type"] == "extra_forbidden":
        guess, known = _guess(error), ", ".join(_KNOWN)
        hint = f"did you mean {guess}?" if guess else f"a job has {known}; inputs go in arguments"
        return InputProblem(path=place, value=value, message="is no field of a job", hint=hint)
    message = _TYPES.get(error["type"], error["msg"])
    return InputProblem(path=place, value=value, message=message)
