"""The progress of a job as its events report it, and the table of it that a terminal shows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from worker.cli.console import BAR_WIDTH, TABLE_WIDTH, WIDE_TABLE_WIDTH, short_endpoint
from worker.cli.job_data import COLOURS, state_text
from worker.jobs.change import Event
from worker.jobs.job import FINAL, JobState
from worker.text import printable

S = JobState

# Steps that a job in this state has completed, of STEPS.
COMPLETED: Mapping[JobState, int] = {
    S.QUEUED: 0,
    S.SUBMITTING: 1,
    S.SUBMITTED: 2,
    S.SUBMIT_UNKNOWN: 2,
    S.RENDERED: 3,
    S.DOWNLOADED: 4,
    S.TAGGED: 5,
    S.PUBLISHED: 6,
}
STEPS = 6
ACTIVITY: Mapping[JobState, str] = {
    S.QUEUED: "waiting for a submit worker",
    S.SUBMITTING: "sending to fal",
    S.SUBMITTED: "rendering at fal",
    S.SUBMIT_UNKNOWN: "fal's answer was lost; waiting for its callback",
    S.RENDERED: "downloading",
    S.DOWNLOADED: "transcoding and tagging",
    S.TAGGED: "publishing",
    S.PUBLISHED: "published",
}


@dataclass(slots=True, kw_only=True)
class Timeline:
    """The progress of one job, updated with its events; times are Unix seconds."""

    job_id: str
    endpoint: str = ""
    state: JobState = S.QUEUED
    since: float = 0.0
    began: float = 0.0
    # The completed part of the current step, 0 to 1, and its expected end; 0 if not reported.
    fraction: float = 0.0
    ends: float = 0.0
    reason: str = ""
    # Why the job waits instead of moving on.
    waits: str = ""
    # Each state that the job has left, and the seconds it was in it.
    spent: list[tuple[JobState, float]] = field(default_factory=list)

    def take(self, event: Event) -> None:
        """Update the timeline with the job's next event."""
        at = float(event["at"])
        to = JobState(event["to"])
        self.waits = ""
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
        """Whether the job has ended; only a late callback can continue it."""
        return self.state in FINAL

    def total(self, now: float) -> float:
        """Return the seconds from the job's creation to its end, or to `now`."""
        return (self.since if self.final else now) - self.began

    def status(self) -> Text:
        """Return the state in its colour, with the completed percentage if it is reported."""
        percentage = f" {self.fraction:3.0%}" if self.fraction else ""
        return state_text(self.state).append(percentage, style="dim")

    def activity(self, now: float) -> str:
        """Return what happens to the job and for how much longer, or why it ended."""
        if self.final and self.reason:
            return self.reason
        if self.waits:
            return self.waits
        left = max(0.0, self.ends - now)
        return ACTIVITY.get(self.state, self.reason) + (f", {left:.0f} s left" if self.ends else "")


def live_table(timelines: Sequence[Timeline], now: float, *, width: int) -> RenderableType:
    """Return a row a job: endpoint, bar, state, seconds since its creation, and its activity.

    A terminal with fewer columns than these need gets fewer of them; ids and states are never cut,
    and why jobs wait is said below.
    """
    table = _rows(timelines, now, width)
    if width >= WIDE_TABLE_WIDTH:
        return table
    return Group(table, *map(Text, _waits(timelines)))


def _waits(timelines: Sequence[Timeline]) -> Iterable[str]:
    """Return a line for each reason for which jobs wait, with the first of these jobs."""
    waiting: dict[str, list[str]] = {}
    for timeline in timelines:
        if timeline.waits:
            waiting.setdefault(timeline.waits, []).append(timeline.job_id)
    for reason, (first, *others) in waiting.items():
        yield printable(f"{first}{f' and {len(others)} more' if others else ''} {reason}")


def _rows(timelines: Sequence[Timeline], now: float, width: int) -> Table:
    table = Table.grid(padding=(0, 1))
    for timeline in timelines:
        table.add_row(*_cells(timeline, now, width))
    for column in table.columns:
        column.no_wrap, column.overflow = True, "ellipsis"
    if table.columns:
        table.columns[0].min_width = max(len(timeline.job_id) for timeline in timelines)
        states = table.columns[_state_column(width)]
        states.min_width = max(timeline.status().cell_len for timeline in timelines)
    return table


def _state_column(width: int) -> int:
    return 1 + (width >= TABLE_WIDTH) + (width >= BAR_WIDTH)


def _cells(timeline: Timeline, now: float, width: int) -> list[RenderableType]:
    colour = COLOURS.get(timeline.state, "cyan")
    completed = STEPS if timeline.final else COMPLETED.get(timeline.state, 0) + timeline.fraction
    bar = ProgressBar(
        total=STEPS, completed=completed, width=10, complete_style=colour, finished_style=colour
    )
    cells: list[RenderableType] = [Text(timeline.job_id, style="bold"), timeline.status()]
    if width >= BAR_WIDTH:
        cells.insert(1, bar)
    if width >= TABLE_WIDTH:
        cells.insert(1, Text(short_endpoint(timeline.endpoint)))
        cells.append(Text(f"{timeline.total(now):5.1f} s"))
    if width >= WIDE_TABLE_WIDTH:
        cells.append(Text(printable(timeline.activity(now))))
    return cells
