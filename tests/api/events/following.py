"""A follower whose events a test reads one after the other."""

import queue
from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis

from api.events.follower import Batch, Follower
from api.events.positions import EventId
from tests.faults.waiting import until


class Follow:
    """A running follower and what it handed on."""

    def __init__(self, redis: Redis, *, wanted: bool) -> None:
        self.follower = Follower(redis, self._keep, lambda: wanted)
        self.frontier: EventId | None = None
        self.batches: queue.SimpleQueue[Batch] = queue.SimpleQueue()

    def _keep(self, batch: Batch) -> None:
        self.frontier = batch.frontier or self.frontier
        if batch.entries:
            self.batches.put(batch)

    def names(self, count: int) -> list[str]:
        """Return the names of the next events, at least `count`."""
        found: list[str] = []
        while len(found) < count:
            batch = self.batches.get(timeout=30)
            found += [entry.event["name"] for entry in batch.entries]
        return found


@contextmanager
def following(redis: Redis, *, wanted: bool = True) -> Iterator[Follow]:
    """Run a follower; begin once it has read all streams."""
    follow = Follow(redis, wanted=wanted)
    follow.follower.start()
    try:
        until(lambda: follow.frontier is not None, "the follower began", 20)
        yield follow
    finally:
        follow.follower.stop()
