"""Which lanes are served next: fair by the time that attempts take, not by their number.

Start-time fair queueing: a lane's tag grows by the cost of what it is given, and the lane with the
least tag is next. A lane that had nothing to do begins at the present, so that it saves up nothing.
https://doi.org/10.1109/90.649569
"""

import heapq
from collections import Counter, OrderedDict
from collections.abc import Mapping

# Milliseconds that an endpoint is taken to need before its first attempt, and the part of its
# latest attempt in the mean.
FIRST_COST = 100.0
_LATEST = 0.2
# Lanes whose cost is remembered while they have nothing to do.
_REMEMBERED = 10_000


class FairQueue:
    """The lanes that one process serves."""

    def __init__(self) -> None:
        self._tags: dict[str, float] = {}
        self._costs: OrderedDict[str, float] = OrderedDict()
        self._now = 0.0

    def shares(self, room: Mapping[str, int], free: int) -> Mapping[str, int]:
        """Return how many of the `free` attempts each lane gets, whose room is its most.

        The lane that is next is the first.
        """
        heap = [(self._start(lane), lane) for lane, most in room.items() if most > 0]
        heapq.heapify(heap)
        shares: Counter[str] = Counter()
        for _ in range(free):
            if not heap:
                break
            tag, lane = heap[0]
            shares[lane] += 1
            if shares[lane] < room[lane]:
                heapq.heapreplace(heap, (tag + self._costs.get(lane, FIRST_COST), lane))
            else:
                heapq.heappop(heap)
        return shares

    def _start(self, lane: str) -> float:
        return max(self._tags.get(lane, 0.0), self._now)

    def served(self, lane: str, attempts: int) -> None:
        """Note that a lane got so many attempts."""
        self._now = self._start(lane)
        self._tags[lane] = self._now + attempts * self._costs.get(lane, FIRST_COST)

    def took(self, lane: str, milliseconds: float) -> None:
        """Note how long an attempt of a lane took."""
        mean = self._costs.pop(lane, milliseconds)
        self._costs[lane] = mean + _LATEST * (milliseconds - mean)
        if len(self._costs) > _REMEMBERED:
            self._costs.popitem(last=False)

    def cost(self, lane: str) -> float | None:
        """Return the milliseconds that an attempt of the lane takes; None if none has ended."""
        return self._costs.get(lane)

    def forget(self, lane: str) -> None:
        """Forget the tag of a lane that has nothing to do and is not behind the others."""
        if self._tags.get(lane, 0.0) <= self._now:
            self._tags.pop(lane, None)
