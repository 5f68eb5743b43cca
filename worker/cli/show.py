"""`falhook show`: one job's record, its files and its history."""

import json
import textwrap
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from worker.cli.completion.jobs import complete_jobs
from worker.cli.console import clock_text, json_option, plain_console, print_json, print_table
from worker.cli.errors import handle_errors
from worker.cli.job_data import as_data, state_text
from worker.cli.job_text import (
    age_text,
    cost_sentence,
    files_of,
    title_of,
)
from worker.jobs.change import Event
from worker.jobs.explanation import reason_text, waiting_for
from worker.jobs.job import Job
from worker.jobs.tenant import DEFAULT
from worker.text import printable
from worker.types import Json

if TYPE_CHECKING:
    from rich.console import Console

# Columns before a fact of a job.
INDENT = 12


@click.command()
@click.argument("job_id", metavar="JOB", shell_complete=complete_jobs("all"))
@json_option
@handle_errors
def show(job_id: str, as_json: bool) -> None:
    """Show the record of JOB, where its files are, and its whole history.

    The record of a job that ended long ago is in storage, and read from there.
    """
    from worker.cli.connections import find_archived, no_job, open_store

    store = open_store()
    from worker.jobs.history import history

    job, archived = store.get(job_id), ""
    if job is None:
        job, archived = find_archived(store, job_id)
    if job is None:
        raise no_job(job_id)
    events, due = history(job), store.due_at(job.id)
    files = files_of(job)
    if as_json:
        print_json(
            {**as_data(job), "due": due, "files": files, "archived": archived, "history": events}
        )
        return
    why = reason_text(job) or waiting_for(job, now=store.clock())
    console = plain_console()
    if archived:
        click.echo(f"From the archive: {archived}", err=True)
    _print_facts(console, job, due=due, why=why, files=files)
    _print_history(console, events)


def _print_facts(
    console: "Console", job: Job, *, due: float | None, why: str, files: Sequence[str]
) -> None:
    from rich.text import Text

    age = age_text(time.time() - job.created_at)
    facts: dict[str, str | Text] = {
        "id": job.id,
        "state": state_text(job.state),
        "why": why,
        "files": "\n".join(files).replace("\n", "\n" + " " * INDENT),
        "title": title_of(job),
        "due": _due(due),
        "tenant": "" if job.tenant == DEFAULT else job.tenant,
        "endpoint": job.endpoint,
        "arguments": json.dumps(job.arguments, ensure_ascii=False),
        "metadata": json.dumps(job.metadata, ensure_ascii=False) if job.metadata else "",
        "options": json.dumps(job.options, ensure_ascii=False) if job.options else "",
        "created": f"{clock_text(job.created_at)} UTC ({age} ago)",
        "attempt": str(job.attempt) if job.attempt else "",
        "request id": job.request_id,
        "cost": cost_sentence(job),
        "source": _without_cost(job.source),
        "outputs": _without_cost(job.outputs),
    }
    for name, value in facts.items():
        if value:
            # The terminal wraps, so that a path copied from it is whole.
            fact = printable(value, lines=True) if isinstance(value, str) else value
            console.print(Text.assemble(f"{name:<{INDENT}}", fact), soft_wrap=True)


def _due(due: float | None) -> str:
    """Return when the sweep wakes the job or looks it up, unless it moves before."""
    if due is None:
        return ""
    left = due - time.time()
    when = f"in {left:.0f} s" if left >= 0 else f"{-left:.0f} s ago"
    return f"{clock_text(due).partition(' ')[2]} UTC ({when})"


def _without_cost(value: Mapping[str, Json]) -> str:
    """Return the value as indented JSON; each step's cost is left to --json and the manifest."""
    rest = {name: part for name, part in value.items() if name != "cost"}
    return textwrap.indent(json.dumps(rest, indent=2), " " * INDENT).lstrip() if rest else ""


def _print_history(console: "Console", events: Sequence[Event]) -> None:
    previous = 0.0
    hidden = {"id", "job", "at", "from", "to", "name", "tenant"}
    rows = []
    for event in events:
        at = float(event["at"])
        details = "  ".join(f"{k}={v}" for k, v in event.items() if k not in hidden and v)
        elapsed = f"{at - previous:.2f}" if previous else ""
        rows.append((clock_text(at), elapsed, event["name"], event["to"], details))
        previous = at
    print_table(console, ("time (UTC)", "+ s", "event", "state", "details"), rows)
