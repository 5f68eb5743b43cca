"""The notifier: puts owed events into lanes, and serves the lanes, while there is anything to do.

A message only wakes it. What it has to do is in Redis, and so are the leases of what it does: it
may be killed anywhere, and another one goes on. One thread talks to Redis, for many attempts in
each round trip; the attempts have threads of their own.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from redis.exceptions import RedisError

from webhook.log import get_logger
from worker.jobs.job import Job
from worker.notifications.attempt_threads import AttemptThreads
from worker.notifications.attempts import Attempts
from worker.notifications.closing import Closing
from worker.notifications.due_lanes import DueLanes
from worker.notifications.endpoint import State
from worker.notifications.fair_queue import FairQueue
from worker.notifications.fan_out import FanOut
from worker.notifications.known_jobs import KnownJobs
from worker.notifications.lanes import Claimed, Claims, Lanes, Outcome
from worker.notifications.new_receivers import NewReceivers
from worker.notifications.slots import Slots

# Attempts of one process at the same time. Each waits for its receiver most of its time.
SLOTS = 256
# Lanes that are looked at in one pass.
_LANES = 200
# Seconds between two looks at what is owed and due, and at least between two passes.
_LOOK, _PACE = 0.05, 0.01
# Seconds for which a notifier goes on for a lane that is due soon, instead of ending.
_SOON = 1.0

log = get_logger()


@dataclass(slots=True, kw_only=True)
class Notifier:
    """Serves all lanes of one Redis, in one process; `run` is the work of a Celery task."""

    fan_out: FanOut
    lanes: Lanes
    due: DueLanes
    new: NewReceivers
    closing: Closing
    attempts: Attempts
    jobs: KnownJobs
    # Attempts at the same time.
    slots: int = SLOTS
    # Seconds: what is due within them is waited for.
    soon: float = _SOON
    # Called in each round of a run, which may have no end.
    go_on: Callable[[], object] = lambda: None
    _queue: FairQueue = field(default_factory=FairQueue)
    _slots: Slots = field(init=False)
    _threads: AttemptThreads = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    # Set by a message, and by the end of an attempt.
    _wake: threading.Event = field(default_factory=threading.Event)
    _running: bool = False
    _again: bool = False
    _stopping: bool = False
    # Attempts that have ended and are not noted yet.
    _ended: deque[tuple[Claimed, Outcome | None]] = field(default_factory=deque)
    # Lanes that may have something to do now, and those whose attempts have to end before.
    _ready: set[str] = field(default_factory=set)
    _full: set[str] = field(default_factory=set)
    # Shards of the outbox that are to be read.
    _shards: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._slots = Slots(self.slots, self._queue.cost)
        self._threads = AttemptThreads(self.slots)

    def run(self) -> None:
        """Work until nothing is owed or due; return at once if this process does so already."""
        with self._lock:
            self._again = True
            self._wake.set()
            if self._running or self._stopping:
                return
            self._running = True
        try:
            self._work()
        except RedisError as error:
            # The sweep wakes it again.
            log.warning("notification.waits", error=error)
        finally:
            with self._lock:
                self._running = False

    def stop(self) -> None:
        """Begin nothing more: `run` returns once the attempts under way have ended."""
        self._stopping = True
        self._wake.set()

    def close(self) -> None:
        """Wait for the attempts under way, and close the connections."""
        self._threads.close()
        self.attempts.sender.close()

    def _work(self) -> None:
        looked = 0.0
        while True:
            self.go_on()
            began = time.monotonic()
            with self._lock:
                woken, self._again = self._again, False
            self._wake.clear()
            self._note()
            if not self._stopping:
                if woken or time.monotonic() - looked >= _LOOK:
                    self._look(woken=woken)
                    looked = time.monotonic()
                self._serve()
            if self._is_over():
                return
            self._wake.wait(_LOOK)
            # Attempts that end at about the same time are noted together.
            time.sleep(max(0.0, began + _PACE - time.monotonic()))

    def _look(self, *, woken: bool) -> None:
        """Learn what is owed and what is due."""
        self._shards.update(self.fan_out.outbox.rung())
        if self._shards:
            self._shards = self.fan_out.run(self._shards)
        if woken and self.new.ready() and (marked := self.new.mark()):
            log.info("notification.jobs_marked", jobs=marked)
        self._ready.update(self.due.due(self.lanes.clock(), _LANES))

    def _is_over(self) -> bool:
        """Return whether there is nothing to do; then the next message finds this one ended."""
        if self._slots.under_way:
            return False
        if not self._stopping and (self._ready or self._shards or self._is_due_soon()):
            return False
        with self._lock:
            # A message that came meanwhile found this one at work.
            self._running = self._again and not self._stopping
            return not self._running

    def _is_due_soon(self) -> bool:
        at = self.due.next_at()
        return at is not None and at <= self.lanes.clock() + self.soon

    def _note(self) -> None:
        """Write down what came of the attempts that have ended since."""
        ended = [self._ended.popleft() for _ in range(len(self._ended))]
        try:
            self.attempts.note([outcome for _, outcome in ended if outcome])
        except RedisError:
            # Later, if the leases do not end before.
            self._ended.extendleft(reversed(ended))
            raise
        now = time.monotonic()
        for claimed, _ in ended:
            lane = claimed.endpoint
            began = self._slots.give_back(lane, id(claimed))
            self._queue.took(lane, (now - began) * 1000)
            if lane in self._full:
                self._ready.add(lane)

    def _serve(self) -> None:
        """Start attempts of the lanes that are ready, fairly, while there are free slots."""
        shares = self._shares()
        if not shares:
            return
        guard = self.due.guard(shares, self.lanes.clock())
        found = self.lanes.claim(shares)
        claimed = [each for claims in found.values() for each in claims.claimed]
        self._start(claimed)
        times: dict[str, float | None] = {}
        for lane, claims in found.items():
            self._queue.served(lane, len(claims.claimed))
            if not claims.more or claims.state is not State.ENABLED:
                self._ready.discard(lane)
                times[lane] = self._next_look(lane, claims)
        self.due.settle(guard, times)

    def _shares(self) -> Mapping[str, int]:
        """Return how many attempts the lanes get that are ready, and may have more."""
        now = time.monotonic()
        room = {lane: self._slots.room(lane) for lane in self._ready}
        slow = {lane for lane in room if self._slots.is_slow(lane, now)}
        free = self.slots - self._slots.under_way
        few = min(free, self._slots.for_slow(now))
        slowly = self._queue.shares({lane: room[lane] for lane in slow}, few)
        # The share of a slow lane is its room beside the others.
        return self._queue.shares(room | dict.fromkeys(slow, 0) | dict(slowly), free)

    def _next_look(self, lane: str, claims: Claims) -> float | None:
        """Return when the lane needs the next look, None for never."""
        again = claims.again
        if claims.state is not State.ENABLED and self.closing.run(lane, claims.state):
            again = self.lanes.clock()
        held = self._slots.held(lane)
        (self._full.add if claims.full else self._full.discard)(lane)
        if claims.full and not held:
            # They are another process's, or ended a moment ago.
            again = self.lanes.clock() + _SOON
        if again is None and not held:
            self._queue.forget(lane)
        return again

    def _start(self, claimed: list[Claimed]) -> None:
        jobs = self.jobs.of(each.event for each in claimed)
        now = time.monotonic()
        for each in claimed:
            self._slots.take(each.endpoint, id(each), now)
            self._threads.run(self._attempt(each, jobs))

    def _attempt(self, claimed: Claimed, jobs: Mapping[str, Job]) -> Callable[[], None]:
        def attempt() -> None:
            outcome = self.attempts.make(claimed, jobs.get(claimed.event.job))
            self._ended.append((claimed, outcome))
            self._wake.set()

        return attempt
