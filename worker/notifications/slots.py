"""How many attempts each lane may have under way, so that stuck receivers do not occupy them all.

A lane is quick if its attempts take less than a second. Half of the slots are for quick lanes only.
A lane of which nothing is known gets one slot until that attempt has ended, and one that was quick
and gets stuck is slow after a second: a receiver that never answers cannot take what others need.
"""

from collections.abc import Callable

from worker.notifications.endpoint import PARALLEL

# Seconds: lanes whose attempts take longer are slow.
QUICK = 1.0
_MILLISECONDS = 1_000.0


class Slots:
    """The slots of one process. `cost` returns the mean milliseconds of a lane, None if unknown.

    Times are those of any one clock, in seconds.
    """

    def __init__(self, total: int, cost: Callable[[str], float | None]) -> None:
        self._total = total
        self._cost = cost
        # Lane → attempt → its beginning, the oldest first.
        self._taken: dict[str, dict[object, float]] = {}

    @property
    def under_way(self) -> int:
        """How many are taken."""
        return sum(map(len, self._taken.values()))

    def held(self, lane: str) -> int:
        """Return how many the lane has."""
        return len(self._taken.get(lane, ()))

    def take(self, lane: str, attempt: object, now: float) -> None:
        """Give the lane a slot."""
        self._taken.setdefault(lane, {})[attempt] = now

    def give_back(self, lane: str, attempt: object) -> float:
        """Take the slot back; return when the attempt began."""
        mine = self._taken[lane]
        began = mine.pop(attempt)
        if not mine:
            del self._taken[lane]
        return began

    def for_slow(self, now: float) -> int:
        """Return how many more slow lanes may take together."""
        slow = (len(mine) for lane, mine in self._taken.items() if self.is_slow(lane, now))
        return max(0, self._total // 2 - sum(slow))

    def is_slow(self, lane: str, now: float) -> bool:
        """Return whether attempts of the lane take long, or one of those under way does."""
        began = next(iter(self._taken.get(lane, {}).values()), now)
        return now - began > QUICK or (self._cost(lane) or 0.0) > QUICK * _MILLISECONDS

    def room(self, lane: str) -> int:
        """Return how many more the lane may take, if there are free ones."""
        most = 1 if self._cost(lane) is None else PARALLEL
        return max(0, most - self.held(lane))
