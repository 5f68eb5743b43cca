"""How jobs look to a person: the console, colours, tables, times."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Literal

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from worker.jobs.job import Job, JobState
from worker.text import printable

S = JobState

COLOURS: Mapping[JobState, str] = {
    S.PUBLISHED: "green",
    S.FAILED: "red",
    S.EXPIRED: "red",
    S.CANCELLED: "yellow",
    S.SUBMIT_UNKNOWN: "yellow",
}

# Columns of a terminal that leave room for whole endpoints and phrases, and for a table at all.
ROOMY = 110
TABULAR = 60


def plain_console() -> Console:
    """A console that prints text as it is: a prompt may hold what Rich takes for markup.

    Where NO_COLOR is set nothing but text comes out, not even bold (https://no-color.org).
    """
    system: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
    return Console(markup=False, highlight=False, color_system=system)


def state_text(state: JobState) -> Text:
    """A state in its colour."""
    return Text(state, style=COLOURS.get(state, "cyan"))


def short(endpoint: str) -> str:
    """An endpoint without the owner and app that all Kling videos share."""
    return endpoint.removeprefix("fal-ai/kling-video/")


def clock_text(seconds: float) -> str:
    """Unix seconds as people read them, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def print_table(
    console: Console, heads: Sequence[str], rows: Sequence[Sequence[str | Text]]
) -> None:
    """The rows under their heads; in a pipe one whole line each, for other programs."""
    if not console.is_terminal:
        for line in aligned([heads, *rows]):
            console.print(line, soft_wrap=True)
        return
    table = Table(box=None, pad_edge=False)
    for name in heads:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(printable(cell) if isinstance(cell, str) else cell for cell in row))
    console.print(table)


def aligned(rows: Sequence[Sequence[str | Text]]) -> list[str]:
    """Lines whose columns begin below each other, nothing wrapped, cut or filled at the end.

    What a terminal would take for a command stands escaped.
    """
    texts = [[printable(str(cell)) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in texts
    ]


def print_jobs(console: Console, jobs: Sequence[Job]) -> None:
    """A line a job, two in a terminal that has no room for one; ids and states stay whole."""
    heads = ("job", "state", "endpoint", "created (UTC)", "reason")
    for shown in (str, short):
        rows = [
            (
                job.id,
                state_text(job.state),
                shown(job.endpoint),
                clock_text(job.created_at),
                job.reason,
            )
            for job in jobs
        ]
        longest = max(map(len, aligned([heads, *rows])))
        if not console.is_terminal or longest <= console.width:
            print_table(console, heads, rows)
            return
    for job in jobs:
        console.print(Text.assemble((job.id, "bold"), "  ", state_text(job.state)), soft_wrap=True)
        told = printable(f"{job.endpoint}  {clock_text(job.created_at)}  {job.reason}".rstrip())
        console.print(f"  {told}", soft_wrap=True)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")


def counted(count: int, noun: str) -> str:
    """`1 job`, `2 jobs`."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def print_json(value: object) -> None:
    """One JSON document on a line of standard output."""
    click.echo(_json(value))


def _json(value: object) -> str:
    # JSON leaves DEL and the C1 control characters as they are.
    return printable(json.dumps(value, ensure_ascii=False))


def as_data(job: Job) -> Mapping[str, object]:
    """A job as JSON shows it."""
    hidden = {"lease_owner", "lease_until", "callback"}
    return {name: value for name, value in asdict(job).items() if name not in hidden}
