"""Output of the command line: consoles, tables, JSON."""

import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import click

from worker.text import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

# Columns that a terminal needs for a table, for one with a bar, and for one with whole endpoints
# and phrases.
TABLE_WIDTH = 60
BAR_WIDTH = 80
WIDE_TABLE_WIDTH = 110

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")


def plain_console() -> "Console":
    """Return a console that prints text unchanged, since prompts may look like Rich's markup.

    If NO_COLOR is set it prints plain text only, not even bold (https://no-color.org).
    """
    from rich.console import Console

    system: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
    return Console(markup=False, highlight=False, color_system=system)


def is_terminal() -> bool:
    """Return whether standard output is a terminal, or FORCE_COLOR asks for the same text."""
    return bool(os.environ.get("FORCE_COLOR")) or sys.stdout.isatty()


def short_endpoint(endpoint: str) -> str:
    """Return the endpoint without the owner and app that all Kling videos share."""
    return endpoint.removeprefix("fal-ai/kling-video/")


def clock_text(seconds: float) -> str:
    """Return Unix seconds as a date and time in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def counted(count: int, noun: str) -> str:
    """Return `1 job`, `2 jobs`."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def print_table(
    console: "Console", headings: Sequence[str], rows: Sequence[Sequence["str | Text"]]
) -> None:
    """Print a table; outside a terminal, one unwrapped line a row, for other programs."""
    if not console.is_terminal:
        for line in aligned([headings, *rows]):
            console.print(line, soft_wrap=True)
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(printable(cell) if isinstance(cell, str) else cell for cell in row))
    console.print(table)


def aligned(rows: Sequence[Sequence["str | Text"]]) -> list[str]:
    """Return a line a row with aligned columns, control characters escaped, nothing cut."""
    texts = [[printable(str(cell)) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in texts
    ]


def print_json(value: object) -> None:
    """Print one JSON document on a line of standard output."""
    click.echo(json_text(value))


def json_text(value: object) -> str:
    """Return the value as JSON on one line that no terminal reads as a command."""
    # JSON leaves DEL and the C1 control characters unescaped.
    return printable(json.dumps(value, ensure_ascii=False))
