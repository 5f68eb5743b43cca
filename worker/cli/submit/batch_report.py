"""Texts of `falhook submit --from FILE`: invalid rows, the cost, and each job."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from decimal import Decimal
from itertools import groupby
from typing import Any

import click

from worker.catalogue.errors import InputProblem, RequestRejected
from worker.catalogue.options import Options
from worker.cli.console import counted, print_json
from worker.cli.errors import CliError
from worker.errors import Failure
from worker.jobs.job import Job
from worker.operations.batch import Refused
from worker.operations.request import DraftJob, InvalidJobId
from worker.text import printable

_MAX_PROBLEMS = 40
_MAX_SPANS = 6

Drafts = Mapping[int, DraftJob]
Existing = Mapping[int, Job]


def rejected_rows(source: str, rejected: Mapping[int, Refused]) -> CliError:
    """Return the error of all invalid rows; the same mistake in many rows is one line."""
    problems = [(line, item) for line in sorted(rejected) for item in _problems(rejected[line])]
    groups: dict[InputProblem, list[tuple[int, InputProblem]]] = {}
    for line, problem in problems:
        groups.setdefault(replace(problem, value=""), []).append((line, problem))
    lines = [_group_text(group) for group in groups.values()]
    beyond = len(lines) - _MAX_PROBLEMS
    more = [f"and {beyond:,} more"] if beyond > 0 else []
    verb = "is" if len(rejected) == 1 else "are"
    heading = f"{counted(len(rejected), 'row')} {verb} invalid; no job was created"
    return CliError(
        "\n".join([f"{printable(source)}: {heading}.", *lines[:_MAX_PROBLEMS], *more]),
        reason="bad_rows",
        problems=[{"line": line, **asdict(problem)} for line, problem in problems],
    )


def stopped(source: str, line: int, error: Failure | InvalidJobId) -> CliError:
    """Return the error of a valid row whose job could not be created."""
    if not isinstance(error, RequestRejected | InvalidJobId):
        # A failure of the storage, unavailable or full: the row is not to blame.
        error = RequestRejected(error.reason, error.sentence)
    return CliError(
        f"{printable(source)} line {line}: {error}.",
        reason=error.reason,
        problems=[{"line": line, **asdict(problem)} for problem in _problems(error)],
    )


def _problems(error: Refused) -> Sequence[InputProblem]:
    return error.problems or [InputProblem(path="", value="", message=str(error))]


def _group_text(group: Sequence[tuple[int, InputProblem]]) -> str:
    problem = group[0][1]
    if len({other.value for _, other in group}) > 1:
        problem = replace(problem, value="")
    return f"{_line_numbers([line for line, _ in group])}: " + (
        str(problem) if problem.path else problem.message
    )


def _line_numbers(numbers: Iterable[int]) -> str:
    """Return `line 3`, or `lines 2-41, 50`."""
    in_order = sorted(set(numbers))
    runs = groupby(enumerate(in_order), key=lambda pair: pair[1] - pair[0])
    spans = [[line for _, line in run] for _, run in runs]
    texts = [f"{span[0]}-{span[-1]}" if len(span) > 1 else f"{span[0]}" for span in spans]
    rest = sum(map(len, spans[_MAX_SPANS:]))
    more = f" and {rest:,} more" if rest else ""
    return f"line{'s' * (len(in_order) > 1)} {', '.join(texts[:_MAX_SPANS])}{more}"


def print_cost(drafts: Drafts, existing: Existing) -> None:
    """Print on standard error what the jobs that do not exist yet should cost in total."""
    new = [draft for line, draft in drafts.items() if line not in existing]
    unknown = sum(draft.estimate is None for draft in new)
    known = len(new) - unknown
    text = counted(len(new), "job") if new else "No new jobs"
    text += f", about ${_sum(drafts, existing):,.2f}{' in total' * (len(new) > 1)}" if known else ""
    if unknown:
        text += f", excluding {unknown:,} of unknown cost" if known else " of unknown cost"
    if existing:
        verb = "exists" if len(existing) == 1 else "exist"
        text += f"; {counted(len(existing), 'job')} of the file {verb} already"
    click.echo(f"{text}.", err=True)


def _sum(drafts: Drafts, existing: Existing) -> Decimal:
    estimates = (draft.estimate for line, draft in drafts.items() if line not in existing)
    return sum((estimate.usd for estimate in estimates if estimate), Decimal(0))


def print_rows(drafts: Drafts, existing: Existing, *, as_json: bool) -> None:
    """Print each row as it would be created; in JSON the last line is the total."""
    for line, draft in drafts.items():
        if as_json:
            print_json(_row(line, draft, new=line not in existing))
        else:
            click.echo(f"line {line}  {draft.job.endpoint}  {_cost(draft, existing.get(line))}")
    if as_json:
        new = [draft for line, draft in drafts.items() if line not in existing]
        total = {
            "jobs": len(drafts),
            "there": len(existing),
            "usd": str(_sum(drafts, existing)),
            "unknown_cost": sum(draft.estimate is None for draft in new),
        }
        print_json({"total": total})


def _row(line: int, draft: DraftJob, *, new: bool) -> dict[str, Any]:
    job = draft.job
    return {
        "line": line,
        "id": job.id,
        "endpoint": job.endpoint,
        "arguments": job.arguments,
        "estimate": job.estimate,
        "metadata": job.metadata,
        "options": job.options,
        "headers": Options.read(job.options).headers(job.id),
        "new": new,
    }


def _cost(draft: DraftJob, existing: Job | None) -> str:
    if existing:
        return f"exists already as {existing.id}, {existing.state}"
    estimate = draft.estimate
    return f"about ${estimate.usd} for {estimate.seconds} s" if estimate else "cost unknown"
