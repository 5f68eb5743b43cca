"""`falhook show` and `falhook list`: what is known of jobs."""

import json
from collections.abc import Mapping
from itertools import islice

import click
from rich.table import Table

from worker.cli.command import as_data, job_of, json_option, plainly, print_json, records
from worker.cli.output import json_lines_option
from worker.cli.screen import clock_text, jobs_table, plain_console, state_text
from worker.cli.selection import SINCE, select
from worker.events import history
from worker.jobs import Job, JobState, Json
from worker.records import Event


@click.command()
@click.argument("job_id", metavar="JOB")
@json_option
@plainly
def show(job_id: str, as_json: bool) -> None:
    """Tell all that is known of JOB: its record and its whole history."""
    found = records()
    job = job_of(found, job_id)
    events = history(found.redis, job.id)
    if as_json:
        print_json({**as_data(job), "history": events})
        return
    console = plain_console()
    console.print(_facts(job))
    console.print(_history(events))


@click.command("list")
@click.option(
    "--state", type=click.Choice([state.value for state in JobState], case_sensitive=False)
)
@click.option("--reason", help="Only jobs with this reason, such as fal_422.")
@click.option("--since", type=SINCE, help="Only jobs of that age at most: 90s, 30m, 12h, 7d.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@json_lines_option
@plainly
def list_jobs(
    *,
    state: str | None,
    reason: str | None,
    since: float | None,
    limit: int,
    as_json: bool,
) -> None:
    """List the newest jobs. Dead letters: --state FAILED, and --reason to choose among them."""
    jobs = tuple(islice(select(records(), state=state, reason=reason, since=since), limit))
    if as_json:
        for job in jobs:
            print_json(as_data(job))
    elif jobs:
        plain_console().print(jobs_table(jobs))
    elif state or reason or since:
        click.echo("No such jobs.", err=True)
    else:
        click.echo("No jobs yet. Make one: falhook submit --help", err=True)


def _facts(job: Job) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_row("job", job.id)
    table.add_row("state", state_text(job.state))
    why = f"{job.reason} (at {job.step}): {job.sentence}" if job.reason else ""
    lines = {
        "why": why,
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
    for name, value in lines.items():
        if value:
            table.add_row(name, value)
    return table


def _cost(job: Job) -> str:
    usd = job.estimate.get("usd")
    if usd is None or not (job.posted or job.request_id):
        return ""
    note = ""
    if job.state is JobState.CANCELLED:
        note = ", rendered all the same" if job.payload else ", unless fal stopped in time"
    return f"about ${usd}{note}"


def _without_cost(value: Mapping[str, Json]) -> str:
    """What people want to see; the cost of each step is in --json and the manifest."""
    shown = {name: part for name, part in value.items() if name != "cost"}
    return json.dumps(shown, indent=2) if shown else ""


def _history(events: list[Event] | object) -> Table:
    table = Table(box=None, pad_edge=False, title_justify="left")
    for name in ("time (UTC)", "+ s", "event", "state", "details"):
        table.add_column(name, overflow="fold")
    before = 0.0
    hidden = {"job", "at", "from", "to", "name"}
    for event in events if isinstance(events, list) else []:
        at = float(event["at"])
        details = "  ".join(f"{k}={v}" for k, v in event.items() if k not in hidden and v)
        gone = f"{at - before:.2f}" if before else ""
        table.add_row(clock_text(at), gone, event["name"], event["to"], details)
        before = at
    return table
