"""Waiting until something has changed, safe to be interrupted by Ctrl-C anywhere.

`threading.Condition` is not: a KeyboardInterrupt that strikes the main thread between taking the
lock and entering the block leaves the lock taken, and every other thread waits for ever. Here a
thread that waits holds no lock: it leaves a queue, whose put and get are single steps of the
interpreter (https://docs.python.org/3/library/queue.html#simplequeue-objects).
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable


class Condition:
    """Where one thread announces that it changed something and others wait for it."""

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        self._waiting: set[queue.SimpleQueue[None]] = set()

    def announce(self) -> None:
        """Let everyone who waits look again. Call it after the change."""
        for waiting in tuple(self._waiting):
            waiting.put(None)

    def wait_for(self, predicate: Callable[[], bool], timeout: float | None = None) -> bool:
        """Block until `predicate` holds, looking anew at each announcement.

        Returns whether it held within `timeout` seconds (None: without bound).
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        announced: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._waiting.add(announced)  # before the first look: no change may fall in between
        try:
            while not predicate():
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                announced.get(timeout=left)
        except queue.Empty:
            return predicate()
        finally:
            self._waiting.discard(announced)
        return True
