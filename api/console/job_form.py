"""The form of an endpoint's inputs: a field for each, and back from its texts to arguments."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from api.console.forms import Form
from worker.catalogue.endpoint import Endpoint
from worker.catalogue.inputs import Input, InputType
from worker.operations.file_references import file_input
from worker.text import InvalidJson, parse_json

# Fields of arguments begin with it, and of chosen files.
ARGUMENT, FILE = "a.", "f."
_JSON = frozenset({InputType.OBJECT, InputType.ANY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One input as a person fills it in: `text` is what was typed, `fault` what is wrong with it.

    `kind` is `lines`, `choice`, `json`, `number` or `text`; `takes_file` offers to choose one.
    """

    name: str
    kind: str
    help: str
    required: bool
    choices: Sequence[str]
    placeholder: str
    takes_file: bool
    text: str
    fault: str = ""

    @classmethod
    def of(cls, item: Input, text: str, fault: str) -> Self:
        """Return the field of an input."""
        requirement = f"{item.allowed_items} of {item.allowed}" if item.many else item.allowed
        return cls(
            name=item.name,
            kind=_kind(item),
            help=item.description or f"Must be {requirement}",
            required=item.required,
            choices=["true", "false"] if _is_flag(item) else [str(each) for each in item.choices],
            placeholder="" if item.default is None else f"{item.default}",
            takes_file=file_input(item, item.name) is not None and not item.many,
            text=text,
            fault=fault,
        )


def _is_flag(item: Input) -> bool:
    return item.kind is InputType.BOOLEAN and not item.many


def _kind(item: Input) -> str:
    if item.many or item.kind in _JSON:
        return "json"
    if item.choices or _is_flag(item):
        return "choice"
    if item.kind is InputType.TEXT:
        return "lines"
    return "text"


def fields_of(
    model: Endpoint, texts: Mapping[str, str], faults: Mapping[str, str]
) -> Sequence[Field]:
    """Return the fields of an endpoint, required ones first."""
    inputs = sorted(model.inputs, key=lambda item: not item.required)
    return [Field.of(item, texts.get(item.name, ""), faults.get(item.name, "")) for item in inputs]


def texts_of(form: Form) -> Mapping[str, str]:
    """Return what was typed into the field of each input."""
    return {
        name.removeprefix(ARGUMENT): text.replace("\r\n", "\n")
        for name, text in form.fields.items()
        if name.startswith(ARGUMENT)
    }


def example_texts(model: Endpoint) -> Mapping[str, str]:
    """Return texts with which the form begins: those of the length, which decides the price."""
    return {
        item.name: str(item.default)
        for item in model.inputs
        if item.choices and item.default is not None
    }


def arguments_of(
    model: Endpoint, texts: Mapping[str, str]
) -> tuple[dict[str, object], Mapping[str, str]]:
    """Return the arguments that the texts mean, and what is wrong with texts that mean none."""
    arguments: dict[str, object] = {}
    faults: dict[str, str] = {}
    for item, text in _filled(model, texts):
        if _kind(item) != "json":
            arguments[item.name] = model.typed(item.name, text)
            continue
        try:
            arguments[item.name] = parse_json(text)
        except InvalidJson as invalid:
            faults[item.name] = f"is {invalid}"
    return arguments, faults


def _filled(model: Endpoint, texts: Mapping[str, str]) -> Iterator[tuple[Input, str]]:
    for item in model.inputs:
        text = texts.get(item.name, "")
        if text.strip():
            yield item, text


def metadata_of(text: str) -> Mapping[str, str]:
    """Return the metadata of lines `name=value`. Raises ValueError for a line without `=`."""
    pairs = {}
    for line in filter(None, (each.strip() for each in text.splitlines())):
        name, equals, value = line.partition("=")
        if not equals or not name.strip():
            raise ValueError(f"{json.dumps(line[:60])} is not of the form name=value")
        pairs[name.strip()] = value.strip()
    return pairs
