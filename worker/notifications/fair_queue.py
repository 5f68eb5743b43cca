"""Which lane is served next: fair by the time that attempts take, not by their number.

Start-time fair queueing: a lane's tag grows by the cost of what it is given, and the lane with the
least tag is next. A lane that had nothing to do begins at the present, so that it saves up nothing.
https://doi.org/10.1109/90.649569
"""

from collections.abc import Collection

# Milliseconds that an endpoint is taken to need before its first attempt, and the part of its
# latest attempt in the mean.
FIRST_COST = 100.0
_LATEST = 0.2


class FairQueue:
    """The lanes that one process serves."""

    def __init__(self) -> None:
        self._tags: dict[str, float] = {}
        self._costs: dict[str, float] = {}
        self._now = 0.0

    def next(self, lanes: Collection[str]) -> str:
        """Return the lane to serve next."""
        return min(lanes, key=lambda lane: (max(self._tags.get(lane, 0.0), self._now), lane))

    def served(self, lane: str, attempts: int) -> None:
        """Note that a lane got so many attempts."""
        start = max(self._tags.get(lane, 0.0), self._now)
        self._now = start
        self._tags[lane] = start + attempts * self._costs.get(lane, FIRST_COST)

    def took(self, lane: str, milliseconds: float) -> None:
        """Note how long an attempt of a lane took."""
        mean = self._costs.get(lane, milliseconds)
        self._costs[lane] = mean + _LATEST * (milliseconds - mean)

    def forget(self, lane: str) -> None:
        """Forget a lane that has nothing to do and is not behind the others."""
        if self._tags.get(lane, 0.0) <= self._now:
            self._tags.pop(lane, None)
            self._costs.pop(lane, None)
