"""The table at the end of a run."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from tests.faults.load import described
from tests.faults.run import Report


def show(report: Report, console: Console) -> int:
    """Print the outcomes. Return 0 if nothing went wrong, else 1."""
    plan = report.plan
    console.print(
        f"{described(report.scenarios)}; {sum(report.struck.values())} strikes "
        f"from seed {plan.seed}; {report.seconds:.0f} s in all"
    )
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, number in _rows(report):
        table.add_row(name, str(number))
    console.print(table)
    faults = report.verdict.faults
    for name, jobs in faults.items():
        for job in jobs[:20]:
            console.print(f"[red]{name}:[/] {job}", soft_wrap=True)
    return 1 if any(faults.values()) else 0


def _rows(report: Report) -> Iterator[tuple[str, object]]:
    counted, struck = report.verdict.counted, report.struck
    yield "POSTs that reached fal", counted["submit_posts"]
    yield "jobs that fal accepted", counted["submit"]
    yield "callbacks delivered", counted["callbacks"]
    yield "of these, answered 200", counted["callback_accepted"]
    yield "duplicates noted", counted["duplicate"]
    yield "conflicts noted", counted["conflict"]
    yield "results looked up", counted["result"]
    name = "answer and callback both lost"
    yield name, counted[name]
    for name, times in sorted(struck.items()):
        yield name, times
    for name, number in sorted(counted.items()):
        if name.startswith("state "):
            yield f"ended as {name.removeprefix('state ')}", number
    for name, jobs in report.verdict.faults.items():
        yield f"[bold]{name}[/]", f"[bold]{len(jobs)}[/]"
