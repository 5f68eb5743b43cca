"""Threads in which attempts wait for their receivers."""

import threading
from collections.abc import Callable
from queue import SimpleQueue


class AttemptThreads:
    """Runs functions, each in a thread that it need not wait for: at most `most` at a time.

    A thread is started when none is idle. An executor of the standard library does the same at
    three times the cost, since it makes an object with a lock for each result.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._work: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._threads: list[threading.Thread] = []

    def run(self, work: Callable[[], object]) -> None:
        """Have the function, which raises nothing, be called."""
        self._work.put(work)
        if self._idle.acquire(blocking=False) or len(self._threads) >= self._most:
            return
        name = f"notify-{len(self._threads)}"
        thread = threading.Thread(target=self._loop, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _loop(self) -> None:
        while (work := self._work.get()) is not None:
            work()
            self._idle.release()

    def close(self) -> None:
        """Wait for what is under way."""
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()
