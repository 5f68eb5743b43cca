"""How values read on the pages: times, money, sizes, states, and texts of others."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType

from worker.jobs.job import FINAL, JobState
from worker.text import printable

S = JobState

# What a state means for a person, in the order in which a job passes through them.
STATES: Mapping[JobState, str] = MappingProxyType(
    {
        S.QUEUED: "waits to be sent to fal",
        S.SUBMITTING: "is being sent to fal",
        S.SUBMITTED: "renders at fal",
        S.SUBMIT_UNKNOWN: "may be at fal: its answer was lost",
        S.RENDERED: "waits for its download",
        S.DOWNLOADED: "waits for transcoding and tags",
        S.TAGGED: "waits for its publication",
        S.PUBLISHED: "is published",
        S.FAILED: "failed",
        S.EXPIRED: "got no callback in time",
        S.CANCELLED: "was cancelled",
    }
)
# The longest text of others that a page shows; more of it would only stop the browser.
_LONGEST, _LONGEST_JSON = 20_000, 200_000
_UNITS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"), (1.0, "s"))
_FEW = 10.0


def ago(now: float, at: float) -> str:
    """Return how long ago a time was: `3 min ago`; times are Unix seconds."""
    return f"{span(max(0.0, now - at))} ago"


def span(seconds: float) -> str:
    """Return a duration in its largest unit: `4.2 s`, `12 min`."""
    if seconds < _FEW:
        return f"{seconds:.1f} s"
    size, unit = next((each for each in _UNITS if seconds >= each[0]), _UNITS[-1])
    return f"{seconds / size:.0f} {unit}"


def exact(at: float) -> str:
    """Return a time of Unix seconds for people: `2026-11-30 17:25:30 UTC`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def iso(at: float) -> str:
    """Return a time of Unix seconds for programs."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def dollars(amount: object) -> str:
    """Return US dollars: `$1.40`; or that the amount is unknown."""
    return "unknown" if amount in {None, ""} else f"${Decimal(str(amount)):,.2f}"


def size(count: float) -> str:
    """Return a number of bytes in the unit that people read: `1.2 MB`."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:  # noqa: PLR2004  # kilo
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def shown(text: object) -> str:
    """Return a text of others: what steers a reader is escaped, and a very long one is cut."""
    visible = printable(str(text), lines=True)
    left = len(visible) - _LONGEST
    return visible if left <= 0 else f"{visible[:_LONGEST]}… and {left:,} more characters"


def short(text: object, longest: int = 80) -> str:
    """Return the beginning of a text of others, in one line."""
    visible = printable(" ".join(str(text)[: 4 * longest].split()))
    return visible[:longest] + "…" * (len(visible) > longest)


def pretty(value: object) -> str:
    """Return a value as JSON for people; a very large one is cut."""
    text = printable(json.dumps(value, indent=2, ensure_ascii=False, default=str), lines=True)
    left = len(text) - _LONGEST_JSON
    return text if left <= 0 else f"{text[:_LONGEST_JSON]}\n… and {left:,} more characters"


def tone(state: str) -> str:
    """Return the class of a state: how a job in it is doing."""
    tones = {S.PUBLISHED: "good", S.FAILED: "bad", S.EXPIRED: "bad", S.CANCELLED: "quiet"}
    return tones.get(JobState(state), "quiet" if state == S.QUEUED else "busy")


def step_name(task: str) -> str:
    """Return the name of a step without ours before it."""
    return task.removeprefix("falhook.")


def endpoint(name: object) -> str:
    """Return an endpoint without the names that most begin with."""
    text = short(name, 120)
    return text.removeprefix("fal-ai/").removeprefix("kling-video/")


FILTERS: Mapping[str, Callable[..., object]] = MappingProxyType(
    {
        "span": span,
        "exact": exact,
        "iso": iso,
        "dollars": dollars,
        "size": size,
        "shown": shown,
        "short": short,
        "pretty": pretty,
        "tone": tone,
        "step": step_name,
        "endpoint": endpoint,
        "is_final": lambda state: state in FINAL,
        "ago": lambda at, now: ago(now, at),
    }
)
