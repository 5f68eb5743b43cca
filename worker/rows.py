"""The rows of a file of jobs, by their line.

jobs.jsonl   one object a line: arguments; id, endpoint, metadata, options, unchecked where wanted
jobs.csv     a column for each input; id, endpoint, unchecked, metadata.NAME and options.NAME where
             wanted; an empty cell leaves the input out; columns parted by , ; or tabs
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from worker.catalogue.errors import Problem

Rows = Iterator[tuple[int, Callable[[], Mapping[str, Any]]]]
_OWN = frozenset({"id", "endpoint"})
_BOOLEANS = {"true": True, "false": False}


class Unreadable(Exception):
    """The file as a whole cannot be read as jobs; the message is a sentence."""


class BadRow(Exception):
    """This row is no job, for these reasons; one in words alone is a problem without a place."""

    reason = "bad_row"

    def __init__(self, *reasons: Problem | str) -> None:
        super().__init__("\n".join(map(str, reasons)))
        self.problems = tuple(one for one in reasons if isinstance(one, Problem))


class Cell(str):
    """The text of a cell, whose type is for the endpoint to say."""

    __slots__ = ()


def read(path: Path) -> Rows:
    """Each row's line, and a call that reads it, which may raise BadRow. Raises Unreadable."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        text = "\0"
    # UTF-16 without a mark decodes, to text in which every other character is a null.
    if "\0" in text:
        raise Unreadable(f"{path} is not UTF-8: save it as UTF-8 (in a spreadsheet: CSV UTF-8)")
    form = {".jsonl": _json_lines, ".ndjson": _json_lines, ".csv": _csv}.get(path.suffix.lower())
    if form is None:
        raise Unreadable(f"{path} must end in .jsonl or .csv, which says what is in it")
    return form(text)


def _json_lines(text: str) -> Rows:
    for line, content in enumerate(text.split("\n"), 1):
        if content.strip():
            yield line, lambda content=content: _json(content)  # type: ignore[misc]


def _json(content: str) -> Mapping[str, Any]:
    try:
        row = json.loads(content)
    except RecursionError:
        raise BadRow("is JSON that nests too deeply") from None
    except json.JSONDecodeError as error:
        raise BadRow(f"is not JSON: {error.msg} at character {error.pos + 1}") from None
    except ValueError as error:
        # An integer of more digits than Python reads.
        raise BadRow(f"is not JSON: {error}") from None
    if not isinstance(row, dict):
        raise BadRow('must be an object such as {"arguments": {"prompt": "…"}}')
    return row


def _csv(text: str) -> Rows:
    # A data URI is longer than the module's limit, which holds for the whole process.
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        if "" in names or len(set(names)) < len(names):
            raise Unreadable("line 1: every column needs a name of its own")
        line = reader.line_num + 1
        for cells in reader:
            if any(cells):
                yield line, lambda cells=cells: _cells(names, cells)  # type: ignore[misc]
            line = reader.line_num + 1
    except csv.Error as error:
        raise Unreadable(f"line {reader.line_num}: not CSV: {error}") from None


def _delimiter(text: str) -> str:
    """What parts the columns: spreadsheets write ; where a comma is the decimal point, or tabs."""
    head = text.partition("\n")[0]
    return next((mark for mark in ",;\t" if mark in head), ",")


def _cells(names: list[str], cells: list[str]) -> Mapping[str, Any]:
    if len(cells) > len(names):
        raise BadRow(f"has {len(cells)} cells for {len(names)} columns")
    row: dict[str, Any] = {"arguments": {}, "metadata": {}, "options": {}}
    for name, value in zip(names, cells, strict=False):
        table, dot, key = name.partition(".")
        if not value:
            continue
        if name in _OWN:
            row[name] = value.strip()
        elif name == "unchecked":
            row[name] = _BOOLEANS.get(value.strip().casefold(), value)
        elif dot and table in {"metadata", "options"}:
            row[table][key] = value if table == "metadata" else _json_or_text(value)
        else:
            row["arguments"][name] = Cell(value)
    return row


def _json_or_text(value: str) -> object:
    try:
        return json.loads(value)
    except ValueError:
        return value
