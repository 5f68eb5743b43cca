"""The way of a job as its events tell it, and the picture of it that a terminal shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from worker.cli.console import COLOURS, ROOMY, TABULAR, short, state_text
from worker.jobs.change import Event
from worker.jobs.job import FINAL, JobState
from worker.text import printable

S = JobState

# How far a job in this state is on its way, of WAY.
DONE: Mapping[JobState, int] = {
    S.QUEUED: 0,
    S.SUBMITTING: 1,
    S.SUBMITTED: 2,
    S.SUBMIT_UNKNOWN: 2,
    S.RENDERED: 3,
    S.DOWNLOADED: 4,
    S.TAGGED: 5,
    S.PUBLISHED: 6,
}
WAY = 6
DOING: Mapping[JobState, str] = {
    S.QUEUED: "waits for a submit worker",
    S.SUBMITTING: "goes to fal",
    S.SUBMITTED: "renders at fal",
    S.SUBMIT_UNKNOWN: "fal's answer was lost; its callback will settle it",
    S.RENDERED: "downloads",
    S.DOWNLOADED: "transcodes and tags",
    S.TAGGED: "publishes",
    S.PUBLISHED: "published",
}


@dataclass(slots=True, kw_only=True)
class Timeline:
    """What events told of one job so far."""

    job_id: str
    endpoint: str = ""
    state: JobState = S.QUEUED
    since: float = 0.0
    began: float = 0.0
    # How much of the present step is done, 0 to 1, and when it should end; 0: not told.
    fraction: float = 0.0
    ends: float = 0.0
    reason: str = ""
    # State and the seconds the job was in it, for each it has left.
    spent: list[tuple[JobState, float]] = field(default_factory=list)

    def take(self, event: Event) -> None:
        """Bring the way up to date with the job's next event."""
        at = float(event["at"])
        to = JobState(event["to"])
        if event["name"] == "progress":
            self.fraction = float(event["fraction"])
            self.ends = at + float(event["left"]) if "left" in event else 0.0
            return
        self.reason = event.get("sentence") or event.get("reason") or ""
        if not self.began:
            self.began = self.since = at
            self.state = to
        elif to is not self.state:
            self.spent.append((self.state, at - self.since))
            self.state, self.since, self.fraction, self.ends = to, at, 0.0, 0.0

    @property
    def final(self) -> bool:
        """Nothing more will come, unless a late callback revives the job."""
        return self.state in FINAL

    def total(self, now: float) -> float:
        """Seconds from the job's creation to its end, or to `now`."""
        return (self.since if self.final else now) - self.began

    def status(self) -> Text:
        """The state in its colour, and what part of the step is done where that is told."""
        done = f" {self.fraction:3.0%}" if self.fraction else ""
        return state_text(self.state).append(done, style="dim")

    def doing(self, now: float) -> str:
        """What happens to the job and for how much longer, or why it ended as it did."""
        if self.final and self.reason:
            return self.reason
        left = max(0.0, self.ends - now)
        return DOING.get(self.state, self.reason) + (f", {left:.0f} s left" if self.ends else "")


def live_table(ways: Sequence[Timeline], now: float, *, width: int) -> Table:
    """One line a job: its bar, its state, the seconds since it was made, and what it does.

    Of these, what `width`, the terminal's columns, leaves no room for is left out; ids are whole.
    """
    table = Table.grid(padding=(0, 1))
    for way in ways:
        colour = COLOURS.get(way.state, "cyan")
        done = WAY if way.final else DONE.get(way.state, 0) + way.fraction
        bar = ProgressBar(
            total=WAY, completed=done, width=10, complete_style=colour, finished_style=colour
        )
        cells: list[RenderableType] = [Text(way.job_id, style="bold"), way.status()]
        if width >= TABULAR:
            cells[1:1] = [Text(short(way.endpoint)), bar]
            cells.append(Text(f"{way.total(now):5.1f} s"))
        if width >= ROOMY:
            cells.append(Text(printable(way.doing(now))))
        table.add_row(*cells)
    for column in table.columns:
        column.no_wrap, column.overflow = True, "ellipsis"
    if table.columns:
        table.columns[0].min_width = max(len(way.job_id) for way in ways)
    return table
