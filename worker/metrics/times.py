"""How long things of a process took."""

from bisect import bisect_left
from collections.abc import Sequence


class Times:
    """How often something took how long: a number at each bound, and one beyond; in seconds.

    One thread at a time may add.
    """

    __slots__ = ("bounds", "places", "seconds")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.places = [0] * (len(bounds) + 1)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.places[bisect_left(self.bounds, seconds)] += 1
        self.seconds += seconds
