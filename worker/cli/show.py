"""`falhook show` and `falhook list`: one job's record and history, and the newest jobs."""

import json
import textwrap
import time
from collections.abc import Mapping, Sequence
from itertools import islice

import click
from rich.console import Console
from rich.text import Text

from worker.cli.connections import find_job, open_store
from worker.cli.console import (
    as_data,
    clock_text,
    json_option,
    plain_console,
    print_jobs,
    print_json,
    print_table,
    state_text,
)
from worker.cli.errors import handle_errors
from worker.cli.job_filters import SINCE, select
from worker.cli.stdout import json_lines_option
from worker.jobs.change import Event
from worker.jobs.events import history
from worker.jobs.job import Job, JobState
from worker.text import printable
from worker.types import Json

# Columns before a fact of a job.
INDENT = 12


@click.command()
@click.argument("job_id", metavar="JOB")
@json_option
@handle_errors
def show(job_id: str, as_json: bool) -> None:
    """Show the record of JOB and its whole history."""
    store = open_store()
    job = find_job(store, job_id)
    events, due = history(store.redis, job.id), store.due_at(job.id)
    if as_json:
        print_json({**as_data(job), "due": due, "history": events})
        return
    console = plain_console()
    _print_facts(console, job, due)
    _print_history(console, events)


@click.command("list")
@click.option(
    "--state", type=click.Choice([state.value for state in JobState], case_sensitive=False)
)
@click.option("--reason", help="Only jobs with this reason code, such as fal_422.")
@click.option("--since", type=SINCE, help="Only jobs created within this time: 90s, 30m, 12h, 7d.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@json_lines_option
@handle_errors
def list_jobs(
    *,
    state: str | None,
    reason: str | None,
    since: float | None,
    limit: int,
    as_json: bool,
) -> None:
    """List the newest jobs; --state FAILED lists dead letters, --reason chooses among them."""
    jobs = tuple(islice(select(open_store(), state=state, reason=reason, since=since), limit))
    if as_json:
        for job in jobs:
            print_json(as_data(job))
    elif jobs:
        print_jobs(plain_console(), jobs)
    elif state or reason or since:
        click.echo("No job matches.", err=True)
    else:
        click.echo("No jobs yet. Create one: falhook submit --help", err=True)


def _print_facts(console: Console, job: Job, due: float | None) -> None:
    why = f"{job.reason} (at {job.step}): {job.sentence}" if job.reason else ""
    facts: dict[str, str | Text] = {
        "job": job.id,
        "state": state_text(job.state),
        "why": why,
        "due": _due(due),
        "endpoint": job.endpoint,
        "arguments": json.dumps(job.arguments, ensure_ascii=False),
        "metadata": json.dumps(job.metadata, ensure_ascii=False) if job.metadata else "",
        "options": json.dumps(job.options, ensure_ascii=False) if job.options else "",
        "created": f"{clock_text(job.created_at)} UTC",
        "attempt": str(job.attempt) if job.attempt else "",
        "request id": job.request_id,
        "cost": _cost(job),
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


def _cost(job: Job) -> str:
    usd = job.estimate.get("usd")
    if usd is None or not (job.posted or job.request_id):
        return ""
    note = ""
    if job.state is JobState.CANCELLED:
        note = ", rendered anyway" if job.payload else ", unless fal stopped in time"
    return f"about ${usd}{note}"


def _without_cost(value: Mapping[str, Json]) -> str:
    """Return the value as indented JSON; each step's cost is left to --json and the manifest."""
    rest = {name: part for name, part in value.items() if name != "cost"}
    return textwrap.indent(json.dumps(rest, indent=2), " " * INDENT).lstrip() if rest else ""


def _print_history(console: Console, events: Sequence[Event]) -> None:
    previous = 0.0
    hidden = {"job", "at", "from", "to", "name"}
    rows = []
    for event in events:
        at = float(event["at"])
        details = "  ".join(f"{k}={v}" for k, v in event.items() if k not in hidden and v)
        elapsed = f"{at - previous:.2f}" if previous else ""
        rows.append((clock_text(at), elapsed, event["name"], event["to"], details))
        previous = at
    print_table(console, ("time (UTC)", "+ s", "event", "state", "details"), rows)
