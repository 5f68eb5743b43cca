"""The notifier: puts owed events into lanes, and serves the lanes, while there is anything to do.

A message only wakes it. What it has to do is in Redis, and so are the leases of what it does: it
may be killed anywhere, and another one goes on.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from redis.exceptions import RedisError

from webhook.log import get_logger
from worker.notifications.attempts import Attempts
from worker.notifications.closing import Closing
from worker.notifications.due_lanes import DueLanes
from worker.notifications.endpoint import PARALLEL, State
from worker.notifications.fair_queue import FairQueue
from worker.notifications.fan_out import FanOut
from worker.notifications.lanes import Claimed, Claims, Lanes
from worker.notifications.new_receivers import NewReceivers

# Attempts of one process at the same time. Each waits for its receiver most of its time.
SLOTS = 64
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
    slots: int = SLOTS
    # Seconds: what is due within them is waited for.
    soon: float = _SOON
    # Called in each round of a run, which may have no end.
    go_on: Callable[[], object] = lambda: None
    _queue: FairQueue = field(default_factory=FairQueue)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    # Set by a message, and by the end of an attempt.
    _wake: threading.Event = field(default_factory=threading.Event)
    _running: bool = False
    _again: bool = False
    _under_way: int = 0
    # The same by lane.
    _lanes: Counter[str] = field(default_factory=Counter)
    # Lanes that may have something to do now, and those whose attempts have to end before.
    _ready: set[str] = field(default_factory=set)
    _full: set[str] = field(default_factory=set)
    # Shards of the outbox that are to be read.
    _shards: set[int] = field(default_factory=set)
    _pool: ThreadPoolExecutor | None = None

    def run(self) -> None:
        """Work until nothing is owed or due; return at once if this process does so already."""
        with self._lock:
            self._again = True
            self._wake.set()
            if self._running:
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

    def close(self) -> None:
        """Wait for the attempts under way, and close the connections."""
        if self._pool is not None:
            self._pool.shutdown()
        self.attempts.sender.close()

    def _work(self) -> None:
        looked = 0.0
        while True:
            self.go_on()
            with self._lock:
                woken, self._again = self._again, False
            self._wake.clear()
            if woken or time.monotonic() - looked >= _LOOK:
                self._look(woken=woken)
                looked = time.monotonic()
            self._serve()
            if self._is_over():
                return
            self._wake.wait(_LOOK)
            time.sleep(_PACE)

    def _look(self, *, woken: bool) -> None:
        """Learn what is owed and what is due."""
        self._shards.update(self.fan_out.outbox.rung())
        if self._shards:
            self._shards = self.fan_out.run(self._shards)
        if woken and self.new.ready() and (marked := self.new.mark()):
            log.info("notification.jobs_marked", jobs=marked)
        due = self.due.due(self.lanes.clock(), _LANES)
        with self._lock:
            self._ready.update(due)

    def _is_over(self) -> bool:
        """Return whether there is nothing to do; then the next message finds this one ended."""
        if self._busy() or self._is_due_soon():
            return False
        with self._lock:
            # A message that came meanwhile found this one at work.
            self._running = self._again
            return not self._again

    def _busy(self) -> bool:
        with self._lock:
            return bool(self._ready or self._under_way or self._shards or self._again)

    def _is_due_soon(self) -> bool:
        at = self.due.next_at()
        return at is not None and at <= self.lanes.clock() + self.soon

    def _serve(self) -> None:
        """Start attempts of the lanes that are ready, fairly, while there are free slots."""
        with self._lock:
            ready, self._ready = self._ready, set()
            free = self.slots - self._under_way
        guard = self.due.guard(ready, self.lanes.clock()) if ready and free > 0 else ""
        while ready and free > 0:
            lane = self._queue.next(ready)
            claims = self.lanes.claim(lane, max(1, min(PARALLEL, free // len(ready))))
            free -= len(claims.claimed)
            self._start(claims.claimed)
            self._queue.served(lane, len(claims.claimed))
            if not claims.more or claims.state is not State.ENABLED:
                ready.discard(lane)
                self._settle(lane, claims, guard)
        with self._lock:
            self._ready |= ready

    def _settle(self, lane: str, claims: Claims, guard: str) -> None:
        """Say when the lane needs the next look."""
        again = claims.again
        if claims.state is not State.ENABLED and self.closing.run(lane, claims.state):
            again = self.lanes.clock()
        with self._lock:
            (self._full.add if claims.full else self._full.discard)(lane)
            if claims.full and not self._lanes[lane]:
                # They are another process's, or ended a moment ago.
                again = self.lanes.clock() + _SOON
            if again is None and not self._lanes[lane]:
                self._queue.forget(lane)
        self.due.settle(lane, guard, again)

    def _start(self, claimed: Iterable[Claimed]) -> None:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.slots, thread_name_prefix="notify")
        for each in claimed:
            with self._lock:
                self._under_way += 1
                self._lanes[each.endpoint] += 1
            self._pool.submit(self._attempt, each)

    def _attempt(self, claimed: Claimed) -> None:
        lane = claimed.endpoint
        began = time.monotonic()
        try:
            self.attempts.make(claimed)
        except RedisError as error:
            # The lease ends, and the event is sent again.
            log.warning("notification.unnoted", endpoint=lane, error=error)
        except Exception:
            log.exception("notification.crashed", endpoint=lane)
        with self._lock:
            self._under_way -= 1
            self._lanes[lane] -= 1
            if not self._lanes[lane]:
                del self._lanes[lane]
            self._queue.took(lane, (time.monotonic() - began) * 1000)
            if lane in self._full:
                self._ready.add(lane)
        self._wake.set()
