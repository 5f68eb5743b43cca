"""Validation of arguments against the JSON Schema in the description of an endpoint.

It applies after the declared inputs have been validated, and adds what these cannot express:
patterns, unions, multiples, dependencies between inputs.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from worker.catalogue.errors import BrokenCatalogue, InputProblem
from worker.catalogue.inputs import Input, InputType
from worker.catalogue.validation.json_schema_messages import ARGUMENTS, problems
from worker.catalogue.validation.values import STAGED, as_seconds

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator

# The steps that a pattern with look-around or back-references may take for one value.
_BACKTRACKS = 100_000
# The validator recurses, and its stack would overflow in a value of some ten thousand levels.
_DEEPEST = 100
_MOST_ERRORS = 200
# In place of an uploaded file or a data URI, whose address is not that of the arguments.
_PLACEHOLDER = "https://v3.fal.media/files/input.{}"


@dataclass(frozen=True, kw_only=True)
class RequestSchema:
    """The JSON Schema 2020-12 of all inputs of an endpoint; it refers to no other document."""

    keywords: Mapping[str, Any] = field(hash=False)

    def problems(
        self,
        arguments: Mapping[str, object],
        inputs: tuple[Input, ...],
        known: Sequence[InputProblem] = (),
    ) -> list[InputProblem]:
        """Return the violations, except at values that have a problem in `known` already.

        Raises BrokenCatalogue if this is not a JSON Schema.
        """
        if _is_deep(arguments):
            message = f"must not nest deeper than {_DEEPEST} levels"
            return [InputProblem(path=ARGUMENTS, value="", message=message)]
        sent = _as_sent(arguments, inputs)
        try:
            found = [
                problem
                for error in islice(self._validator.iter_errors(sent), _MOST_ERRORS)
                for problem in problems(error, inputs, self.keywords)
            ]
        except (TypeError, ValueError):
            # A value that is not JSON, which the validation of the inputs has reported.
            if not known:
                raise
            return []
        return [problem for problem in found if not _is_reported(problem.path, known)]

    def fault(self) -> str:
        """Return what is wrong with the schema itself, such as "invalid at …"; "" if none."""
        try:
            _compiled(self.keywords)
        except _InvalidSchema as invalid:
            return str(invalid)
        return ""

    @cached_property
    def _validator(self) -> "Draft202012Validator":
        try:
            return _compiled(self.keywords)
        except _InvalidSchema as invalid:
            raise BrokenCatalogue(f"the JSON Schema of an endpoint is {invalid}") from invalid


class _InvalidSchema(Exception):
    """This is not a JSON Schema; the message completes "it is …"."""


def _compiled(keywords: Mapping[str, Any]) -> "Draft202012Validator":
    # Importing it takes longer than most commands need, and most endpoints have no schema.
    from jsonschema_rs import (  # noqa: PLC0415
        Draft202012Validator,
        FancyRegexOptions,
        ValidationError,
    )

    try:
        return Draft202012Validator(
            dict(keywords),
            formats={"byte": _is_base64},
            validate_formats=True,
            offline=True,
            pattern_options=FancyRegexOptions(backtrack_limit=_BACKTRACKS),
        )
    except ValidationError as error:
        where = ".".join(map(str, error.instance_path)) or "its top level"
        raise _InvalidSchema(f"invalid at {where}: {error.message[:200]}") from error
    except (TypeError, ValueError) as error:
        raise _InvalidSchema(f"invalid: {error}"[:200]) from error


def _is_reported(path: str, known: Sequence[InputProblem]) -> bool:
    """Return whether a value at, above or below this path has a problem already."""
    return any(_contains(path, one.path) or _contains(one.path, path) for one in known)


def _contains(path: str, other: str) -> bool:
    return path in {ARGUMENTS, other} or other.startswith((f"{path}.", f"{path}["))


def _as_sent(arguments: Mapping[str, object], inputs: tuple[Input, ...]) -> dict[str, object]:
    """Return the arguments as fal will receive them: durations as text, files as addresses."""
    declared = {item.name: item for item in inputs}
    return {
        str(name): _sent(declared[name], value) if name in declared else value
        for name, value in arguments.items()
    }


def _sent(item: Input, value: object) -> object:
    if item.many and isinstance(value, list | tuple):
        return [_sent_single(item, one) for one in value]
    return _sent_single(item, value)


def _sent_single(item: Input, value: object) -> object:
    match value:
        case str() if item.kind is InputType.URL and (staged := STAGED.fullmatch(value)):
            return _PLACEHOLDER.format(staged[1].rpartition(".")[2])
        case str() if item.kind is InputType.URL and value[:5].lower() == "data:":
            return _PLACEHOLDER.format("bin")
        case Mapping() if item.kind is InputType.OBJECT:
            return _as_sent(value, item.nested)
    return as_seconds(value) if item.kind is InputType.SECONDS else value


def _is_deep(value: object) -> bool:
    level = [value]
    for _ in range(_DEEPEST):
        level = [inner for one in level for inner in _inner(one)]
        if not level:
            return False
    return True


def _inner(value: object) -> Iterator[object]:
    if isinstance(value, Mapping):
        yield from value.values()
    elif isinstance(value, list | tuple):
        yield from value


def _is_base64(value: str) -> bool:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
