"""What `make demo` tells of its jobs when they have ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from infra.local.demo.jobs import Wanted

_NAMES = ("video.mp4", "poster.jpg", "manifest.json")
_STATES = ("QUEUED", "SUBMITTING", "SUBMITTED", "RENDERED", "DOWNLOADED", "TAGGED")
_ONE_POST = {"submit": 1, "status": 0, "result": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A job that has ended: its record, what fal was asked for it, where its files are."""

    wanted: Wanted
    job: Mapping[str, object]
    asked: Mapping[str, object]
    published: Path

    @property
    def id(self) -> str:
        """The job's id."""
        return str(self.job["id"])

    def faults(self) -> list[str]:
        """What is not as it was to be, a sentence each."""
        faults = []
        if self.job["state"] != self.wanted.state:
            faults.append(f"{self.id} is {self.job['state']}, not {self.wanted.state}")
        if {kind: self.asked.get(kind) for kind in _ONE_POST} != _ONE_POST:
            faults.append(f"{self.id} made other requests to fal than one submit: {self.asked}")
        if self.job["state"] == "PUBLISHED":
            empty = [name for name in _NAMES if not self._size(name)]
            faults += [f"{self.published / name} is missing or empty" for name in empty]
        return faults

    def told(self, root: Path) -> list[str]:
        """Its files with their sizes, `root` left out; or why it has none."""
        if self.job["state"] != "PUBLISHED":
            why = self.wanted.why if self._as_meant() else "was not published"
            return [f"{self.id} {why}. falhook says of it: {self.job['sentence']}."]
        lines = [f"    {name:<15}{self._size(name):>9,} bytes" for name in _NAMES]
        return [f"{self.published.relative_to(root)}/", *lines]

    def state(self) -> str:
        """How it ended, and whether it was to end so where that looks like a fault."""
        return f"{self.job['state']}{', as meant' * self._as_meant()}"

    def _as_meant(self) -> bool:
        return bool(self.wanted.why) and self.job["state"] == self.wanted.state

    def _size(self, name: str) -> int:
        path = self.published / name
        return path.stat().st_size if path.is_file() else 0


def report(console: Console, jobs: list[Ended], root: Path) -> list[str]:
    """Tell the way of each job and its files; return what is not as it was to be."""
    console.print()
    console.print(_table(jobs))
    for ended in jobs:
        for line in ended.told(root):
            console.print(line, soft_wrap=True, markup=False)
    console.print()
    return [fault for ended in jobs for fault in ended.faults()]


def _table(jobs: list[Ended]) -> Table:
    table = Table(title="Seconds in each state, then requests made to fal", title_justify="left")
    for name in ("", *(ended.id for ended in jobs)):
        table.add_column(name, no_wrap=True, justify="right" if name else "left")
    times = [_spent(ended.job["history"]) for ended in jobs]
    for state in _STATES:
        table.add_row(state, *(f"{spent[state]:.2f}" if state in spent else "" for spent in times))
    table.add_row("ended as", *(ended.state() for ended in jobs), end_section=True)
    for kind in _ONE_POST:
        table.add_row(f"{kind} requests", *(str(ended.asked.get(kind, "?")) for ended in jobs))
    return table


def _spent(history: object) -> dict[str, float]:
    """Seconds in each state that was left, from the job's events."""
    spent: dict[str, float] = {}
    since, state = 0.0, ""
    for event in history if isinstance(history, list) else []:
        if event["to"] == state:
            continue
        at = float(event["at"])
        if state:
            spent[state] = spent.get(state, 0.0) + at - since
        since, state = at, event["to"]
    return spent
