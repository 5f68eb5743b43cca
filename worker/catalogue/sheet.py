"""The form of the catalogue's files: a misspelt key or a wrong type is refused by file and key."""

import json
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    FiniteFloat,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
)

from worker.catalogue.errors import BrokenCatalogue
from worker.catalogue.model import Status
from worker.catalogue.rules import Rule
from worker.media_type import BY_EXTENSION
from worker.prices import Price


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FieldForm(_Form):
    """An input; `type` is one of the kinds or the name of a nested type."""

    name: str = ""
    type: str
    many: bool = False
    required: bool = False
    default: str | int | float | bool | None = None
    choices: tuple[str | int | float, ...] | str = ()
    minimum: int | FiniteFloat | None = None
    maximum: int | FiniteFloat | None = None
    exclusive_minimum: int | FiniteFloat | None = None
    exclusive_maximum: int | FiniteFloat | None = None
    min_length: NonNegativeInt | None = None
    max_length: NonNegativeInt | None = None
    min_items: NonNegativeInt | None = None
    max_items: NonNegativeInt | None = None
    max_megabytes: PositiveInt | None = None
    formats: tuple[Literal[*BY_EXTENSION], ...] = ()  # type: ignore[valid-type]
    description: str = ""
    example: Any = None
    rules: tuple[Rule, ...] = ()
    unchecked: tuple[str, ...] = ()
    additional: bool = False


class FamilyForm(_Form):
    """Inputs by their field's key, and what holds for them."""

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    inputs: dict[str, dict[str, Any]] = {}
    rules: tuple[Rule, ...] = ()
    outputs: dict[str, str] | None = None
    example: dict[str, Any] = {}


class ModelForm(FamilyForm):
    """An endpoint: what it adds to its family."""

    request_type: str = ""
    family: str = ""
    price: str = ""
    status: Status = Status.LISTED
    replaced_by: str = ""
    source: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    additional: bool = False


class DriftForm(_Form):
    """Groups of names that mean the same in different versions."""

    names: tuple[tuple[str, ...], ...] = ()


class Sheet(_Form):
    """All files of the catalogue as one."""

    sources: dict[str, str] = {}
    choices: dict[str, tuple[str, ...]] = {}
    fields: dict[str, FieldForm] = {}
    types: dict[str, dict[str, FieldForm]] = {}
    prices: dict[str, Price] = {}
    families: dict[str, FamilyForm] = {}
    models: dict[str, ModelForm] = {}
    drift: DriftForm = DriftForm()


def read(directories: Iterable[Path]) -> Sheet:
    """The files of all directories as one sheet; of two entries of one name the later holds.

    Raises BrokenCatalogue, naming the file, and the key where there is one.
    """
    merged: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for file in (file for directory in directories for file in _files(directory)):
        for table, entries in _parse(file).items():
            merged[table].update(entries)
    return Sheet.model_validate(merged)


def _files(directory: Path) -> list[Path]:
    return sorted(file for file in directory.glob("*.*") if file.suffix in _PARSERS)


# Written by hand and by `falhook models add`.
_PARSERS: Mapping[str, Callable[[str], Any]] = {".toml": tomllib.loads, ".json": json.loads}


def _parse(file: Path) -> dict[str, dict[str, Any]]:
    form = file.suffix[1:].upper()
    try:
        tables: dict[str, dict[str, Any]] = _PARSERS[file.suffix](file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, json.JSONDecodeError) as bad:
        raise BrokenCatalogue(f"{file} cannot be read as {form}: {bad}") from bad
    checked(tables, str(file))
    return tables


def checked(tables: Mapping[str, Any], source: str) -> Sheet:
    """The tables as a sheet. Raises BrokenCatalogue, naming their source and the key."""
    try:
        return Sheet.model_validate(tables)
    except ValidationError as invalid:
        first = invalid.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise BrokenCatalogue(f"{source} is wrong at {where}: {first['msg']}") from invalid
