"""Reads the catalogue's files into one set of tables; errors name file, key and value."""

import json
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from worker.catalogue.errors import BrokenCatalogue
from worker.catalogue.files.errors import fault
from worker.catalogue.files.forms import CatalogueFile


def read(directories: Iterable[Path]) -> CatalogueFile:
    """Return the merged tables of all files; of two entries with one key the later wins.

    Hidden files are ignored, because editors keep locks and copies in them. Raises
    BrokenCatalogue with the file and, if possible, the key.
    """
    merged: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    origins: dict[tuple[str, str], Path] = {}
    for file in (file for directory in directories for file in _files(directory)):
        for table, entries in _parse(file).items():
            merged[table].update(entries)
            origins |= {(table, key): file for key in entries}
    return CatalogueFile.model_validate(merged).read_from(origins)


def _files(directory: Path) -> list[Path]:
    files = directory.glob("[!.]*.*")
    return sorted(file for file in files if file.suffix in _PARSERS)


# TOML is written by hand, JSON by `falhook models add`.
_PARSERS: Mapping[str, Callable[[str], Any]] = {".toml": tomllib.loads, ".json": json.loads}


def _parse(file: Path) -> dict[str, dict[str, Any]]:
    syntax = file.suffix[1:].upper()
    try:
        tables: dict[str, dict[str, Any]] = _PARSERS[file.suffix](file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, json.JSONDecodeError) as bad:
        raise BrokenCatalogue(f"{file} cannot be read as {syntax}: {bad}") from bad
    except RecursionError:
        raise BrokenCatalogue(
            f"{file} cannot be read as {syntax}: it is nested too deeply"
        ) from None
    checked(tables, str(file))
    return tables


def checked(tables: Mapping[str, Any], source: str) -> CatalogueFile:
    """Validate the tables. Raises BrokenCatalogue with their source, the key and the value."""
    try:
        return CatalogueFile.model_validate(tables)
    except ValidationError as invalid:
        first = invalid.errors(include_url=False)[0]
        raise BrokenCatalogue(f"{source} is invalid at {fault(first)}") from invalid
