"""The state of the system as tables, for terminals of 60 columns and more, and as plain lines."""

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from worker.cli.console import aligned, counted
from worker.cli.job_data import COLOURS
from worker.cli.stats.deployment import Deployment
from worker.cli.stats.recent import MINUTES, Recent
from worker.jobs.job import AWAITING, FINAL, JobState
from worker.operations.job_stats import JobStats
from worker.text import printable

# Seconds since a sweep from which it is said to be late.
_SWEPT = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What is drawn; `recent` is None where it is not known."""

    jobs: JobStats
    deployment: Deployment
    recent: Recent | None = None


def lines(snapshot: Snapshot, now: float) -> Iterator[str]:
    """Yield the same as plain text, aligned, for other programs and files."""
    yield from aligned([("STATE", "JOBS", "OLDEST", "WHY"), *_states(snapshot.jobs, now)])
    yield from aligned(list(facts(snapshot, now)))


def waiting(snapshot: Snapshot, now: float) -> RenderableType:
    """Return the tables of an earlier moment, and above them how long ago that was."""
    since = snapshot.jobs.at
    told = f"Redis does not answer: what follows was so {_age(now - since)} ago"
    return Group(Text(told, "bold red"), Text(), drawn(snapshot, since))


def drawn(snapshot: Snapshot, now: float) -> RenderableType:
    """Return the tables."""
    table = Table(box=None, pad_edge=False)
    for heading, justify in (("state", "left"), ("jobs", "right"), ("oldest", "right")):
        table.add_column(heading, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("why", overflow="fold")
    for state, number, age, why in _states(snapshot.jobs, now):
        style = COLOURS.get(JobState(state), "cyan") if number != "0" else "dim"
        table.add_row(Text(state, style), number, age, printable(why))
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="bold")
    grid.add_column(overflow="fold")
    for name, text in facts(snapshot, now):
        grid.add_row(name, printable(text))
    return Group(table, Text(), grid)


def _states(jobs: JobStats, now: float) -> Iterator[tuple[str, str, str, str]]:
    for state in JobState:
        if state in FINAL:
            yield str(state), f"{jobs.jobs[state]:,}", "", f"{jobs.ended[state]:,} in 24 h"
            continue
        oldest = jobs.oldest.get(state)
        age = _age(now - oldest.since) if oldest else ""
        why = f"{oldest.job} {oldest.waits}" if oldest and oldest.waits else ""
        yield str(state), f"{jobs.jobs[state]:,}", age, why


def facts(snapshot: Snapshot, now: float) -> Iterator[tuple[str, str]]:
    """Yield a name and a sentence for each other fact."""
    jobs, deployment = snapshot.jobs, snapshot.deployment
    yield "at fal", counted(sum(jobs.jobs[state] for state in AWAITING), "job")
    yield "today", f"{counted(jobs.clips, 'clip')} rendered (UTC), ≤${jobs.usd:,.2f}"
    if snapshot.recent is not None:
        yield "a minute", _rates(snapshot.recent)
    queues = (f"{_short(queue)} {number:,}" for queue, number in deployment.queues.items())
    yield "queues", "  ".join(queues) or f"unknown: {deployment.unheard}"
    yield "workers", _workers(deployment)
    yield "sweep", _sweep(deployment.swept, now)
    yield "receiver", deployment.receiver
    hooks = deployment.webhooks
    disabled = f", {counted(hooks.disabled, 'endpoint')} disabled" if hooks.disabled else ""
    yield "webhooks", f"{hooks.owed:,} owed, {hooks.dead:,} dead{disabled}"


def _short(queue: str) -> str:
    return queue.removeprefix("falhook.")


def _rates(found: Recent) -> str:
    numbers = {"created": found.created, "published": found.published, "failed": found.failed}
    rates = ", ".join(f"{number / MINUTES:,.1f} {what}" for what, number in numbers.items())
    return f"{rates} in the last {MINUTES} min"


def _workers(deployment: Deployment) -> str:
    if deployment.unheard:
        return f"unknown: {deployment.unheard}"
    if deployment.workers is None:
        return "listening for their heartbeats …"
    if not deployment.workers:
        return "none was heard; `falhook check` says what is missing"
    return ", ".join(f"{each.name} {each.version}".rstrip() for each in deployment.workers)


def _sweep(swept: float | None, now: float) -> str:
    if swept is None:
        return "none has run yet: start beat and a worker of callbacks"
    late = "; beat sends one every 5 s" if now - swept > _SWEPT else ""
    return f"the last one ran {_age(now - swept)} ago{late}"


def _age(seconds: float) -> str:
    """Return `42 s`, `3 min`, `5 h` or `2 d`."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
