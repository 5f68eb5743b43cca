"""Converts a row of a file of jobs into a request, with defaults from the command line."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from worker.catalogue.endpoint import Endpoint
from worker.catalogue.errors import InputProblem, shown
from worker.catalogue.options import Options, merged
from worker.catalogue.validation.paths import path
from worker.operations.batch_file import Cell, CommaCell, InvalidRow
from worker.operations.request import JobRequest
from worker.operations.validation import Validator
from worker.text import UnusableJson, nearest


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    arguments: dict[str, Any]
    id: str | None = None
    endpoint: str | None = None
    tenant: str | None = None
    metadata: dict[str, Any] = {}
    options: dict[str, Any] = {}
    unchecked: bool = False
    notify: str | None = None


_DECIMAL_COMMA = re.compile(r"\s*[+-]?[0-9]+,[0-9]+\s*")
_KNOWN = tuple(_Row.model_fields)
_EXAMPLE = '{"arguments": {"prompt": "…"}}'
_TYPES = {
    "dict_type": "must be an object",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
}


def request_of(values: Mapping[str, Any], defaults: JobRequest, validator: Validator) -> JobRequest:
    """Return the request of a row. Raises InvalidRow, or RequestRejected for its endpoint."""
    try:
        row = _Row.model_validate(dict(values))
    except ValidationError as invalid:
        raise InvalidRow(*_problems(invalid.errors(include_url=False))) from None
    endpoint = row.endpoint or defaults.endpoint
    if not endpoint:
        raise InvalidRow("has no endpoint: add one, or name one for all rows on the command line")
    unchecked = row.unchecked or defaults.unchecked
    model = validator.find(endpoint, unchecked=unchecked)
    return replace(
        defaults,
        endpoint=endpoint,
        arguments={name: _typed(model, name, value) for name, value in row.arguments.items()},
        metadata={**defaults.metadata, **row.metadata},
        job_id=row.id,
        options=merged(defaults.options, _options(row.options)),
        unchecked=unchecked,
        tenant=defaults.tenant if row.tenant is None else row.tenant,
        notify=defaults.notify if row.notify is None else row.notify,
    )


def _typed(model: Endpoint, name: str, value: object) -> object:
    if not isinstance(value, Cell):
        return value
    if isinstance(value, CommaCell) and _DECIMAL_COMMA.fullmatch(value):
        number = model.typed(name, value.replace(",", "."))
        if isinstance(number, float):
            return number
    return model.typed(name, str(value))


def _options(values: Mapping[str, object]) -> dict[str, object]:
    options: dict[str, object] = {}
    for name, value in values.items():
        try:
            options[name] = Options.typed(name, str(value)) if isinstance(value, Cell) else value
        except UnusableJson as unusable:
            where = path(("options", name))
            raise InvalidRow(InputProblem(path=where, value="", message=f"is {unusable}")) from None
    return options


def _problems(errors: Sequence[ErrorDetails]) -> list[InputProblem]:
    unknown = [error for error in errors if error["type"] == "extra_forbidden"]
    guesses = {_guess(error) for error in unknown}
    missing = {"missing"} if "arguments" in guesses else set()
    if any(error["type"] == "missing" for error in errors) and not guesses - {""}:
        return [_missing_arguments(unknown)]
    return [_problem(error) for error in errors if error["type"] not in missing]


def _guess(error: ErrorDetails) -> str:
    return nearest(str(error["loc"][0])[:100], _KNOWN) or ""


def _missing_arguments(unknown: Sequence[ErrorDetails]) -> InputProblem:
    """Return the problem of a row with its inputs at the top level, or without inputs."""
    names = ", ".join(shown(error["loc"][0]) for error in unknown)
    hint = f"move {names} into it: {_EXAMPLE}" if names else f"write {_EXAMPLE}"
    return InputProblem(path="arguments", value="", message="is missing", hint=hint)


def _problem(error: ErrorDetails) -> InputProblem:
    where = path(error["loc"])
    value = shown(error["input"], words=True)
    if error["type"] == "extra_forbidden":
        guess, known = _guess(error), ", ".join(_KNOWN)
        hint = f"did you mean {guess}?" if guess else f"use {known}; inputs go into arguments"
        return InputProblem(path=where, value=value, message="is not a field of a job", hint=hint)
    message = _TYPES.get(error["type"], error["msg"])
    return InputProblem(path=where, value=value, message=message)
