"""The packaged endpoints as one file of JSON, which is read without validation.

`make derived` writes packaged.json from data/*.toml, which pydantic has validated: to import
pydantic, and to validate them again, would take longer than all else that lists endpoints. A value
that is a default is left out, and each input is written once, however many endpoints have it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worker.catalogue.endpoint import Endpoint, Status
from worker.catalogue.errors import RequestRejected
from worker.catalogue.inputs import Input, InputType
from worker.catalogue.prices import Basis, Price
from worker.catalogue.validation.rules import KINDS, Rule

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

FILE = Path(__file__).parents[1] / "packaged.json"
_Row = dict[str, Any]
_PRICES = ("price", "video_price")
_RATES = ("per_second", "first", "silent", "voice")
_DAYS = ("deprecated_at", "withdrawn_at")
_NOT_WRITTEN = frozenset({"names", "json_schema"})


def packed(models: Iterable[Endpoint]) -> str:
    """Return the content of packaged.json, a line an input and an endpoint."""
    inputs = _Inputs()
    endpoints = [_endpoint_row(model, inputs) for model in models]
    tables = {"inputs": list(inputs.rows), "endpoints": map(_text, endpoints)}
    body = ",\n".join(f'"{name}": [\n{_lines(rows)}\n]' for name, rows in tables.items())
    return f"{{\n{body}\n}}\n"


def read() -> Iterator[Endpoint]:
    """Yield the packaged endpoints, as data/*.toml declares them."""
    tables = json.loads(FILE.read_text(encoding="utf-8"))
    inputs: list[Input] = []
    for row in tables["inputs"]:
        inputs.append(_input(row, inputs))
    for row in tables["endpoints"]:
        yield _endpoint(row, inputs)


@dataclass(frozen=True, slots=True)
class _Inputs:
    """The rows of inputs, each with its number; the members of an object precede it."""

    rows: dict[str, int] = field(default_factory=dict)

    def number(self, item: Input) -> int:
        row = {**_row(item), "nested": [self.number(member) for member in item.nested]}
        text = _text({name: value for name, value in row.items() if value != []})
        return self.rows.setdefault(text, len(self.rows))


def _endpoint_row(model: Endpoint, inputs: _Inputs) -> _Row:
    if model.json_schema is not None:
        raise ValueError(f"{model.endpoint} has a JSON Schema, which packaged.json cannot express")
    row = _row(model) | {"inputs": [inputs.number(item) for item in model.inputs]}
    row |= {"rules": [_row(rule) for rule in model.rules]} if model.rules else {}
    row |= {name: _row(price) for name in _PRICES if (price := getattr(model, name))}
    try:
        return row | {"ready_example": model.example()}
    except RequestRejected:  # it is withdrawn, or announced without a schema
        return row


def _row(item: "DataclassInstance") -> _Row:
    """Return the values that are not the default."""
    values = {each.name: getattr(item, each.name) for each in fields(item)}
    defaults = {each.name: each.default for each in fields(item)}
    return {
        name: value
        for name, value in values.items()
        if value != defaults[name] and value not in ({}, ()) and name not in _NOT_WRITTEN
    }


def _text(row: object) -> str:
    return json.dumps(row, ensure_ascii=False, default=str)


def _lines(rows: Iterable[str]) -> str:
    return ",\n".join(rows)


def _input(row: _Row, inputs: list[Input]) -> Input:
    nested = tuple(inputs[number] for number in row.pop("nested", ()))
    example = row.pop("example", None)
    kind = InputType(row.pop("kind"))
    return Input(**_tuples(row), kind=kind, nested=nested, example=example)


def _endpoint(row: _Row, inputs: list[Input]) -> Endpoint:
    objects: _Row = {name: row.pop(name, {}) for name in ("outputs", "examples")}
    objects["ready_example"] = row.pop("ready_example", None)
    objects["inputs"] = tuple(inputs[number] for number in row.pop("inputs"))
    objects["rules"] = tuple(map(_rule, row.pop("rules", ())))
    objects |= {name: _price(row.pop(name)) for name in _PRICES if name in row}
    objects |= {name: date.fromisoformat(row.pop(name)) for name in _DAYS if name in row}
    status = Status(row.pop("status", Status.LISTED))
    return Endpoint(**_tuples(row), **objects, status=status)


def _rule(row: Mapping[str, Any]) -> Rule:
    kind = next(kind for key, kind in KINDS.items() if key in row)
    return kind(**_tuples(row))


def _price(row: Mapping[str, Any]) -> Price:
    rates = {name: Decimal(row[name]) for name in _RATES if name in row}
    resolutions = {name: Decimal(rate) for name, rate in row.get("resolutions", {}).items()}
    basis = Basis(row.get("basis", Basis.OUTPUT))
    return Price(**{**row, **rates, "resolutions": resolutions, "basis": basis})


def _tuples(row: Mapping[str, Any]) -> _Row:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
