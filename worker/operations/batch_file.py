"""The rows of a file of jobs, by their line.

jobs.jsonl   one object a line: arguments; id, endpoint, metadata, options, unchecked where wanted
jobs.csv     a column for each input; id, endpoint, unchecked, metadata.NAME and options.NAME where
             wanted; an empty cell leaves the input out; columns parted by , ; or tabs, or by what
             a first line sep=… says
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
_OWN = frozenset({"id", "endpoint"})


class UnreadableFile(Exception):
    """The file as a whole cannot be read as jobs; the message is a sentence."""


class InvalidRow(Exception):
    """This row is no job, for these reasons; one in words alone is a problem without a place."""

    reason = "bad_row"

    def __init__(self, *reasons: InputProblem | str) -> None:
        super().__init__("\n".join(map(str, reasons)))
        self.problems = tuple(one for one in reasons if isinstance(one, InputProblem))


class Cell(str):
    """The text of a cell, whose type is for the endpoint to say."""

    __slots__ = ()


def read(path: Path) -> Rows:
    """Each row's line, and a call that reads it, which may raise BadRow. Raises Unreadable."""
    told = printable(str(path))
    form = {".jsonl": _json_lines, ".ndjson": _json_lines, ".csv": _csv}.get(path.suffix.lower())
    if form is None:
        raise UnreadableFile(f"{told} must end in .jsonl or .csv, which says what is in it")
    try:
        # Nobody may ever write to a pipe, and what came out of one cannot be read again.
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnreadableFile(
                f"{told} is no regular file: write the jobs to one, so that the same command can "
                "go on where it was interrupted"
            )
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UnreadableFile(f"{told} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        text = "\0"
    # UTF-16 without a mark decodes, to text in which every other character is a null.
    if "\0" in text:
        raise UnreadableFile(f"{told} is not UTF-8: save it as UTF-8 (in a spreadsheet: CSV UTF-8)")
    return form(text)


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
    # A data URI is longer than the module's limit, which holds for the whole process.
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    lines = io.StringIO(text, newline="").readlines()
    before, mark = _preamble(lines)
    reader = csv.reader(lines[before:], delimiter=mark, strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        line = before + reader.line_num + 1
        if "" in names or len(set(names)) < len(names):
            raise UnreadableFile(f"line {line - 1}: every column needs a name of its own")
        for cells in reader:
            if any(map(str.strip, cells)):
                yield line, lambda cells=cells: _cells(names, cells)  # type: ignore[misc]
            line = before + reader.line_num + 1
    except csv.Error as error:
        raise UnreadableFile(f"line {before + reader.line_num}: not CSV: {error}") from None


def _preamble(lines: Sequence[str]) -> tuple[int, str]:
    """How many lines stand before the names of the columns, and what parts these."""
    before = _blank(lines, 0)
    # Spreadsheets read and write such a line, which is none of the table.
    if stated := before < len(lines) and _SEP.fullmatch(lines[before].strip("\r\n ")):
        return _blank(lines, before + 1), stated[1]
    head = lines[before] if before < len(lines) else ""
    # Spreadsheets write ; where a comma is the decimal point, or tabs.
    return before, next((mark for mark in ",;\t" if mark in head), ",")


def _blank(lines: Sequence[str], at: int) -> int:
    """The first line from there on that holds anything."""
    return next((n for n in range(at, len(lines)) if lines[n].strip("\r\n ,;\t")), len(lines))


def _cells(names: list[str], cells: list[str]) -> Mapping[str, Any]:
    if len(cells) > len(names):
        raise InvalidRow(f"has {len(cells)} cells for {len(names)} columns")
    if len(cells) < len(names):
        # What is left of a file that was not written to its end must not be paid for.
        raise InvalidRow(
            f"has {len(cells)} of {len(names)} cells: it is cut short, or its empty "
            "cells at the end are missing"
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
            row[table][key] = value if table == "metadata" else Cell(value)
        else:
            row["arguments"][name] = Cell(value)
    return row
