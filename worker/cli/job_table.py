"""The table of `falhook list`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from worker.cli.console import aligned, clock_text, print_table, short_endpoint
from worker.cli.job_data import state_text
from worker.cli.job_text import age_text, cost_text, title_of
from worker.jobs.job import Job
from worker.jobs.tenant import DEFAULT
from worker.text import printable, shorten

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

# Characters of a title or a phrase in a column.
LONGEST_TITLE = 30

_Row = Mapping[str, "str | Text"]


def job_lines(jobs: Sequence[Job], *, why: Sequence[str], now: float) -> Sequence[str]:
    """Return headings and a line a job, for other programs: nothing is cut.

    `why` has for each job why it waits or how it ended.
    """
    rows = [_row(job, text, now) for job, text in zip(jobs, why, strict=True)]
    headings, cells = _columns(rows, tuple(rows[0]))
    return aligned([headings, *cells])


def print_jobs(console: "Console", jobs: Sequence[Job], *, why: Sequence[str], now: float) -> None:
    """Print a line a job, or two in a narrow terminal; ids and states are never cut."""
    lines = zip(jobs, why, strict=True)
    rows = [{**_row(job, text, now), "state": state_text(job.state)} for job, text in lines]
    for chosen in _choices(rows):
        headings, cells = _columns(*chosen)
        if max(map(len, aligned([headings, *cells]))) <= console.width:
            print_table(console, headings, cells)
            return
    for job, row in zip(jobs, rows, strict=True):
        _print_twice(console, job, row)


def _row(job: Job, why: str, now: float) -> _Row:
    return {
        "id": job.id,
        "state": job.state.value,
        "tenant": "" if job.tenant == DEFAULT else job.tenant,
        "endpoint": job.endpoint,
        "created (UTC)": clock_text(job.created_at),
        "age": age_text(now - job.created_at),
        "cost": cost_text(job),
        "title": shorten(title_of(job), LONGEST_TITLE),
        "why": why,
    }


def _choices(rows: Sequence[_Row]) -> Iterator[tuple[Sequence[_Row], Sequence[str]]]:
    """Yield rows and their columns, from the most to the least."""
    columns = ("id", "state", "tenant", "age", "cost", "endpoint", "title", "why")
    yield rows, columns
    short = [{**row, "endpoint": short_endpoint(str(row["endpoint"]))} for row in rows]
    yield short, columns


def _columns(
    rows: Sequence[_Row], names: Sequence[str]
) -> tuple[Sequence[str], Sequence[Sequence["str | Text"]]]:
    """Return headings and cells of these columns, without those that are empty in every row."""
    kept = [name for name in names if name in {"id", "why"} or any(str(row[name]) for row in rows)]
    return kept, [[row[name] for name in kept] for row in rows]


def _print_twice(console: "Console", job: Job, row: _Row) -> None:
    from rich.text import Text

    console.print(Text.assemble((job.id, "bold"), "  ", state_text(job.state)), soft_wrap=True)
    names = ("tenant", "endpoint", "age", "cost", "title", "why")
    facts = "  ".join(text for name in names if (text := str(row[name])))
    console.print(f"  {printable(facts)}", soft_wrap=True)
