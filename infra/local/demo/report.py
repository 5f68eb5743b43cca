"""The report of `make demo` on its finished jobs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from infra.local.demo.jobs import DemoJob

_NAMES = ("video.mp4", "poster.jpg", "manifest.json")
_STATES = ("QUEUED", "SUBMITTING", "SUBMITTED", "RENDERED", "DOWNLOADED", "TAGGED")
_ONE_POST = {"submit": 1, "status": 0, "result": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedJob:
    """A finished job: its record, the requests that fal counted for it, and its files."""

    demo_job: DemoJob
    record: Mapping[str, object]
    requests: Mapping[str, object]
    published: Path

    @property
    def id(self) -> str:
        """Return the job's id."""
        return str(self.record["id"])

    def faults(self) -> list[str]:
        """Return one sentence for each difference from the expected end."""
        faults = []
        if self.record["state"] != self.demo_job.state:
            faults.append(f"{self.id} is {self.record['state']}, not {self.demo_job.state}")
        if {kind: self.requests.get(kind) for kind in _ONE_POST} != _ONE_POST:
            faults.append(
                f"{self.id} should cause one submit request, but fal counted {self.requests}"
            )
        if self.record["state"] == "PUBLISHED":
            empty = [name for name in _NAMES if not self._size(name)]
            faults += [f"{self.published / name} is missing or empty" for name in empty]
        return faults

    def summary(self, root: Path) -> list[str]:
        """Return the lines on its files, with paths relative to `root`, or on why it has none."""
        if self.record["state"] != "PUBLISHED":
            reason = self.demo_job.reason if self._as_expected() else "was not published"
            return [f"{self.id} {reason}. falhook reports: {self.record['sentence']}."]
        lines = [
            f"    {(self.published / name).as_uri()}  {self._size(name):,} bytes" for name in _NAMES
        ]
        return [f"{self.published.relative_to(root)}/", *lines]

    def state(self) -> str:
        """Return its final state, marked `as expected` if a failure was intended."""
        return f"{self.record['state']}{', as expected' * self._as_expected()}"

    def _as_expected(self) -> bool:
        return bool(self.demo_job.reason) and self.record["state"] == self.demo_job.state

    def _size(self, name: str) -> int:
        path = self.published / name
        return path.stat().st_size if path.is_file() else 0


def report(console: Console, jobs: list[FinishedJob], root: Path) -> list[str]:
    """Print the history and the files of each job; return the faults of all."""
    console.print()
    console.print(_table(jobs))
    for job in jobs:
        for line in job.summary(root):
            console.print(line, soft_wrap=True, markup=False)
    console.print()
    return [fault for job in jobs for fault in job.faults()]


def _table(jobs: list[FinishedJob]) -> Table:
    table = Table(title="Seconds in each state, then requests to fal", title_justify="left")
    for name in ("", *(job.id for job in jobs)):
        table.add_column(name, no_wrap=True, justify="right" if name else "left")
    times = [_seconds_by_state(job.record["history"]) for job in jobs]
    for state in _STATES:
        table.add_row(state, *(f"{spent[state]:.2f}" if state in spent else "" for spent in times))
    table.add_row("final state", *(job.state() for job in jobs), end_section=True)
    for kind in _ONE_POST:
        table.add_row(f"{kind} requests", *(str(job.requests.get(kind, "?")) for job in jobs))
    return table


def _seconds_by_state(history: object) -> dict[str, float]:
    """Return the seconds spent in each state that the job has left."""
    seconds: dict[str, float] = {}
    since, state = 0.0, ""
    for event in history if isinstance(history, list) else []:
        if event["to"] == state:
            continue
        at = float(event["at"])
        if state:
            seconds[state] = seconds.get(state, 0.0) + at - since
        since, state = at, event["to"]
    return seconds
