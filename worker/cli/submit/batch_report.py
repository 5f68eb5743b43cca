"""What `falhook submit --from FILE` tells: what is wrong, what it costs, how far it came."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from decimal import Decimal
from itertools import groupby
from typing import Any

import click

from worker.catalogue.errors import InputProblem as Wrong
from worker.catalogue.errors import RequestRejected
from worker.cli.console import counted, print_json
from worker.cli.errors import CliError
from worker.errors import Failure
from worker.jobs.job import Job
from worker.operations.batch import Refused
from worker.operations.request import DraftJob, InvalidJobId
from worker.text import printable

_PROBLEMS_TOLD = 40
_SPANS_TOLD = 6

Drafts = Mapping[int, DraftJob]
Known = Mapping[int, Job]


def refusal(source: str, refused: Mapping[int, Refused]) -> CliError:
    """All that is wrong; the same mistake of many rows, such as a column's name, is told once."""
    wrong = [(line, one) for line in sorted(refused) for one in _wrongs(refused[line])]
    alike: dict[Wrong, list[tuple[int, Wrong]]] = {}
    for line, one in wrong:
        alike.setdefault(replace(one, value=""), []).append((line, one))
    lines = [_told(found) for found in alike.values()]
    beyond = len(lines) - _PROBLEMS_TOLD
    more = [f"and {beyond:,} more"] if beyond > 0 else []
    count = f"{len(refused):,} of its jobs cannot be made, so none was"
    return CliError(
        "\n".join([f"{printable(source)}: {count}.", *lines[:_PROBLEMS_TOLD], *more]),
        reason="bad_rows",
        problems=[{"line": line, **asdict(one)} for line, one in wrong],
    )


def stopped(source: str, line: int, refused: Failure | InvalidJobId) -> CliError:
    """The job of this line cannot be made after all."""
    if not isinstance(refused, RequestRejected | InvalidJobId):
        # Storage's own: away or full, whatever the row says.
        refused = RequestRejected(refused.reason, refused.sentence)
    return CliError(
        f"{printable(source)} line {line}: {refused}.",
        reason=refused.reason,
        problems=[{"line": line, **asdict(one)} for one in _wrongs(refused)],
    )


def _wrongs(refused: Refused) -> Sequence[Wrong]:
    return refused.problems or [Wrong(path="", value="", message=str(refused))]


def _told(alike: Sequence[tuple[int, Wrong]]) -> str:
    wrong = alike[0][1]
    if len({one.value for _, one in alike}) > 1:
        wrong = replace(wrong, value="")
    return f"{_lines([line for line, _ in alike])}: {wrong if wrong.path else wrong.message}"


def _lines(numbers: Iterable[int]) -> str:
    """`line 3`, or `lines 2-41, 50`."""
    in_order = sorted(set(numbers))
    runs = groupby(enumerate(in_order), key=lambda pair: pair[1] - pair[0])
    spans = [[line for _, line in run] for _, run in runs]
    told = [f"{span[0]}-{span[-1]}" if len(span) > 1 else f"{span[0]}" for span in spans]
    rest = sum(map(len, spans[_SPANS_TOLD:]))
    more = f" and {rest:,} more" if rest else ""
    return f"line{'s' * (len(in_order) > 1)} {', '.join(told[:_SPANS_TOLD])}{more}"


def tell_cost(drafts: Drafts, there: Known) -> None:
    """What the jobs that are not there yet should cost over all, on standard error."""
    new = [draft for line, draft in drafts.items() if line not in there]
    known = [estimate for draft in new if (estimate := draft.estimate)]
    unknown = len(new) - len(known)
    told = counted(len(new), "job") if new else "No new job"
    told += f", about ${_sum(drafts, there):,.2f}{' in all' * (len(new) > 1)}" if known else ""
    told += f", {f'without {unknown:,} ' * bool(known)}whose cost is not known" if unknown else ""
    is_are = "is" if len(there) == 1 else "are"
    told += f"; {counted(len(there), 'job')} of the file {is_are} there already" if there else ""
    click.echo(f"{told}.", err=True)


def _sum(drafts: Drafts, there: Known) -> Decimal:
    estimates = (draft.estimate for line, draft in drafts.items() if line not in there)
    return sum((estimate.usd for estimate in estimates if estimate), Decimal(0))


def print_rows(drafts: Drafts, there: Known, *, as_json: bool) -> None:
    """Each row as it would be made; as JSON with the sum as the last line."""
    for line, draft in drafts.items():
        if as_json:
            print_json(_row(line, draft, new=line not in there))
        else:
            click.echo(f"line {line}  {draft.job.endpoint}  {_cost(draft, there.get(line))}")
    if as_json:
        unknown = sum(draft.estimate is None for line, draft in drafts.items() if line not in there)
        usd = str(_sum(drafts, there))
        total = {"jobs": len(drafts), "there": len(there), "usd": usd, "unknown_cost": unknown}
        print_json({"total": total})


def _row(line: int, draft: DraftJob, *, new: bool) -> dict[str, Any]:
    job = draft.job
    told = {"id": job.id, "endpoint": job.endpoint, "arguments": job.arguments}
    return {"line": line, **told, "estimate": job.estimate, "new": new}


def _cost(draft: DraftJob, there: Job | None) -> str:
    if there:
        return f"there already as {there.id}, {there.state}"
    estimate = draft.estimate
    return f"about ${estimate.usd} for {estimate.seconds} s" if estimate else "cost not known"
