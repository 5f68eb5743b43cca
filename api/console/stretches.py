"""The time that a job spent in each state, as bars."""

from collections.abc import Sequence
from dataclasses import dataclass

from worker.jobs.change import Event
from worker.jobs.job import FINAL

# The width of all bars together, in units of the drawing, and the least of one.
WIDTH, _LEAST = 1000.0, 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A stretch of time in one state; `x` and `width` are units of the drawing."""

    state: str
    since: float
    seconds: float
    x: float
    width: float


def bars_of(events: Sequence[Event], now: float) -> Sequence[Bar]:
    """Return a bar for each stay in a state that takes time, the first one first."""
    stays = _stays(events, now)
    total = sum(seconds for _, _, seconds in stays) or 1.0
    bars: list[Bar] = []
    x = 0.0
    for state, since, seconds in stays:
        width = max(_LEAST, WIDTH * seconds / total)
        bars.append(Bar(state=state, since=since, seconds=seconds, x=x, width=width))
        x += width
    scale = WIDTH / x if x else 1.0
    return [
        Bar(
            state=bar.state,
            since=bar.since,
            seconds=bar.seconds,
            x=round(bar.x * scale, 1),
            width=round(bar.width * scale, 1),
        )
        for bar in bars
    ]


def _stays(events: Sequence[Event], now: float) -> Sequence[tuple[str, float, float]]:
    """Return state, begin and seconds of each stay; an ended job stays nowhere."""
    moves = [(each["to"], float(each["at"])) for each in events if each["from"] != each["to"]]
    ends = [at for _, at in moves[1:]] + [now]
    return [
        (state, at, max(0.0, end - at))
        for (state, at), end in zip(moves, ends, strict=True)
        if state not in FINAL
    ]
