"""Reads the rows of a file of jobs, by line.

jobs.jsonl   one object a line: arguments; optionally id, endpoint, tenant, notify, metadata,
             options, unchecked
jobs.csv     a column for each input; optionally id, endpoint, tenant, notify, unchecked,
             metadata.NAME and options.NAME; an empty cell leaves the input out; columns are
             separated by , ; or tabs, or as a first line sep=… says
"""

import csv
import io
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from worker.catalogue.errors import InputProblem
from worker.catalogue.validation.text_values import boolean
from worker.text import InvalidJson, parse_json, printable

Rows = Iterator[tuple[int, Callable[[], Mapping[str, Any]]]]
_SEP = re.compile(r'"?sep=([^\w\s"]|\t)"?', re.IGNORECASE)
_OWN = frozenset({"id", "endpoint", "tenant", "notify"})


class UnreadableFile(Exception):
    """A file that cannot be read as jobs; the message is a sentence without a period."""


class InvalidRow(Exception):
    """A row that is not a job; `problems` has those of its reasons that have a path."""

    reason = "bad_row"

    def __init__(self, *reasons: InputProblem | str) -> None:
        super().__init__("\n".join(map(str, reasons)))
        self.problems = tuple(item for item in reasons if isinstance(item, InputProblem))


class Cell(str):
    """The text of a cell, whose type the endpoint decides."""

    __slots__ = ()


class CommaCell(Cell):
    """A cell of a file in which numbers may have a decimal comma: 0,5."""

    __slots__ = ()


def read(path: Path) -> Rows:
    """Return each row's line and a function that reads the row, which may raise InvalidRow.

    Raises UnreadableFile.
    """
    name = printable(str(path))
    read_rows = {".jsonl": _json_lines, ".ndjson": _json_lines, ".csv": _csv}.get(
        path.suffix.lower()
    )
    if read_rows is None:
        raise UnreadableFile(f"{name} must end in .jsonl or .csv")
    try:
        # Nobody may write to a pipe, and an interrupted run could not read it a second time.
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnreadableFile(
                f"{name} is not a regular file: write the jobs to one, so that the same command "
                "can continue after an interruption"
            )
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UnreadableFile(f"{name} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        text = "\0"
    # UTF-16 without a byte order mark decodes as UTF-8, with a null for every other character.
    if "\0" in text:
        raise UnreadableFile(f"{name} is not UTF-8: save it as UTF-8 (in a spreadsheet: CSV UTF-8)")
    return read_rows(text)


def _json_lines(text: str) -> Rows:
    for line, content in enumerate(text.split("\n"), 1):
        if content.strip():
            yield line, lambda content=content: _json(content)  # type: ignore[misc]


def _json(content: str) -> Mapping[str, Any]:
    try:
        row = parse_json(content)
    except InvalidJson as error:
        raise InvalidRow(f"is {error}") from None
    if not isinstance(row, dict):
        raise InvalidRow('must be an object such as {"arguments": {"prompt": "…"}}')
    return row


def _csv(text: str) -> Rows:
    # A data URI exceeds the module's limit, which applies to the whole process.
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    lines = io.StringIO(text, newline="").readlines()
    before, separator = _preamble(lines)
    kind = CommaCell if separator == ";" else Cell
    reader = csv.reader(lines[before:], delimiter=separator, strict=True)
    try:
        head = [name.strip() for name in next(reader, [])]
        names = _without_end(head, 0)
        line = before + reader.line_num + 1
        if "" in names or len(set(names)) < len(names):
            raise UnreadableFile(f"line {line - 1}: every column needs its own name")
        for cells in reader:
            if any(map(str.strip, cells)):
                yield line, lambda cells=cells: _cells(names, cells, len(head), kind)  # type: ignore[misc]
            line = before + reader.line_num + 1
    except csv.Error as error:
        raise UnreadableFile(f"line {before + reader.line_num}: not CSV: {error}") from None


def _without_end(cells: list[str], least: int) -> list[str]:
    """Return the cells without the empty ones after the first `least`, as Excel writes them."""
    while len(cells) > least and not cells[-1].strip():
        cells = cells[:-1]
    return cells


def _preamble(lines: Sequence[str]) -> tuple[int, str]:
    """Return the number of lines before the column names, and the columns' separator."""
    before = _skip_blank(lines, 0)
    # Spreadsheets write such a line, which is not part of the table.
    if stated := before < len(lines) and _SEP.fullmatch(lines[before].strip("\r\n ")):
        return _skip_blank(lines, before + 1), stated[1]
    head = lines[before] if before < len(lines) else ""
    # Spreadsheets write ; in locales with a decimal comma, or tabs.
    return before, next((mark for mark in ",;\t" if mark in head), ",")


def _skip_blank(lines: Sequence[str], start: int) -> int:
    """Return the index of the first line from `start` that is not blank."""
    return next((n for n in range(start, len(lines)) if lines[n].strip("\r\n ,;\t")), len(lines))


def _cells(names: list[str], written: list[str], width: int, kind: type[Cell]) -> Mapping[str, Any]:
    cells = _without_end(written, len(names))
    if len(cells) > len(names):
        raise InvalidRow(f"has {len(cells)} cells for {len(names)} columns")
    if len(written) < width:
        # The last row of a file that was cut off must not be paid for.
        raise InvalidRow(
            f"has {len(written)} of {width} cells: it is cut off, or empty cells at its end "
            "are missing"
        )
    row: dict[str, Any] = {"arguments": {}, "metadata": {}, "options": {}}
    for name, value in zip(names, cells, strict=True):
        table, dot, key = name.partition(".")
        if not value:
            continue
        if name in _OWN:
            row[name] = value.strip()
        elif name == "unchecked":
            row[name] = boolean(value)
        elif dot and table in {"metadata", "options"}:
            row[table][key] = value if table == "metadata" else kind(value)
        else:
            row["arguments"][name] = kind(value)
    return row
