"""Many jobs from one file: JSON Lines or CSV, checked whole before the first is made.

jobs.jsonl   one object a line: arguments; id, endpoint, metadata, options, unchecked where wanted
jobs.csv     a column for each input; id, endpoint, metadata.NAME and options.NAME where wanted;
             an empty cell leaves the input out

A row without an id of its own gets one that follows from the file's name, the row's content and
how often this content came before it in the file. So the same file again makes no job twice, also
after other rows were mended, and two equal rows are two jobs.
"""

import csv
import hashlib
import io
import json
from base64 import b32encode
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from worker.catalogue.errors import Refusal
from worker.order import Checks, Draft, JobRefused, Order


class Unreadable(Exception):
    """The file as a whole cannot be read as jobs; the message is a sentence."""


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    arguments: dict[str, Any]
    id: str | None = None
    endpoint: str | None = None
    metadata: dict[str, Any] = {}
    options: dict[str, Any] = {}
    unchecked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulk:
    """The jobs of a file by their line, and what is wrong by its line, both in the file's order."""

    drafts: dict[int, Draft] = field(default_factory=dict)
    problems: dict[int, str] = field(default_factory=dict)


def read(path: Path, checks: Checks, order: Order) -> Bulk:
    """Every row, checked; `order` holds what rows leave out. Raises Unreadable."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{path} cannot be read: {error}") from None
    rows = {".jsonl": _json_lines, ".ndjson": _json_lines, ".csv": _csv}.get(path.suffix.lower())
    if rows is None:
        raise Unreadable(f"{path} must end in .jsonl or .csv, which says what is in it")
    bulk, seen, ids = Bulk(), Counter[str](), dict[str, int]()
    for line, row in rows(text):
        try:
            asked = _order(row(), order, checks)
            asked = replace(asked, job_id=asked.job_id or _id(path.name, asked, seen))
            draft = checks.draft(asked)
        except (Refusal, JobRefused, _BadRow) as refused:
            bulk.problems[line] = str(refused)
            continue
        first = ids.setdefault(draft.job.id, line)
        if first == line:
            bulk.drafts[line] = draft
        else:
            bulk.problems[line] = f"the id {draft.job.id} is that of line {first} already"
    if not (bulk.drafts or bulk.problems):
        raise Unreadable(f"{path} holds no job")
    return bulk


class _BadRow(Exception):
    """This row is no job."""


_Rows = Iterator[tuple[int, Callable[[], Mapping[str, Any]]]]


def _json_lines(text: str) -> _Rows:
    for line, content in enumerate(text.split("\n"), 1):
        if content.strip():
            yield line, lambda content=content: _json(content)  # type: ignore[misc]


def _json(content: str) -> Mapping[str, Any]:
    try:
        row = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _BadRow(f"is not JSON: {error}") from None
    if not isinstance(row, dict):
        raise _BadRow('must be an object such as {"arguments": {"prompt": "…"}}')
    return row


def _csv(text: str) -> _Rows:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
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


_OWN = frozenset({"id", "endpoint"})


def _cells(names: list[str], cells: list[str]) -> Mapping[str, Any]:
    if len(cells) > len(names):
        raise _BadRow(f"has {len(cells)} cells for {len(names)} columns")
    row: dict[str, Any] = {"arguments": {}, "metadata": {}, "options": {}}
    for name, value in zip(names, cells, strict=False):
        table, dot, key = name.partition(".")
        if not value:
            continue
        if name in _OWN:
            row[name] = value
        elif dot and table in {"metadata", "options"}:
            row[table][key] = value if table == "metadata" else _read_cell(value)
        else:
            row["arguments"][name] = _Cell(value)
    return row


class _Cell(str):
    """The text of a cell, whose type is for the endpoint to say."""

    __slots__ = ()


def _read_cell(value: str) -> object:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _order(row: Mapping[str, Any], order: Order, checks: Checks) -> Order:
    try:
        given = _Row.model_validate(dict(row))
    except ValidationError as invalid:
        first = invalid.errors()[0]
        where = ".".join(map(str, first["loc"]))
        known = ", ".join(_Row.model_fields)
        raise _BadRow(f"{where}: {first['msg']} (a job has {known})") from None
    endpoint = given.endpoint or order.endpoint
    if not endpoint:
        raise _BadRow("names no endpoint, and the command line names none for all")
    unchecked = given.unchecked or order.unchecked
    model = checks.find(endpoint, unchecked=unchecked)
    arguments = {
        name: model.typed(name, str(value)) if isinstance(value, _Cell) else value
        for name, value in given.arguments.items()
    }
    return Order(
        endpoint=endpoint,
        arguments=arguments,
        metadata={**order.metadata, **given.metadata},
        job_id=given.id,
        options={**order.options, **given.options},
        unchecked=unchecked,
    )


def _id(name: str, order: Order, seen: Counter[str]) -> str:
    content = json.dumps([name, order.endpoint, order.arguments, order.metadata], sort_keys=True)
    seen[content] += 1
    digest = hashlib.sha256(f"{content}\n{seen[content]}".encode(errors="surrogatepass")).digest()
    return b32encode(digest[:10]).decode().lower()
