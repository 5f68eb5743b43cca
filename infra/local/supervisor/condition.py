"""A condition to wait for that Ctrl-C can interrupt at any point.

`threading.Condition` cannot be interrupted safely: a KeyboardInterrupt in the main thread between
taking the lock and entering the block leaves the lock taken, and every other thread waits for
ever. Here a waiting thread holds no lock. It waits on a queue, whose put and get are single steps
of the interpreter (https://docs.python.org/3/library/queue.html#simplequeue-objects).
"""

import queue
import time
from collections.abc import Callable


class Condition:
    """A condition on shared state: one thread notifies of a change, others wait for it."""

    def __init__(self) -> None:
        """Create a condition without waiters."""
        self._waiters: set[queue.SimpleQueue[None]] = set()

    def notify_all(self) -> None:
        """Make every waiting thread check its predicate again. Call it after the change."""
        for waiter in tuple(self._waiters):
            waiter.put(None)

    def wait_for(self, predicate: Callable[[], bool], timeout: float | None = None) -> bool:
        """Block until `predicate` is true, checking it at each notification.

        Return whether it became true within `timeout` seconds (None: no limit).
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        notifications: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._waiters.add(notifications)  # before the first check, so that no change is missed
        try:
            while not predicate():
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                notifications.get(timeout=left)
        except queue.Empty:
            return predicate()
        finally:
            self._waiters.discard(notifications)
        return True
