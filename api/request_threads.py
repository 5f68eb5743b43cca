"""The threads in which requests wait for Redis and the storage."""

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class RequestThreads:
    """Threads that carry out what blocks, `count` at a time.

    asyncio's executor makes two futures for each call, with a lock, a condition and callbacks: half
    of what a change of threads costs.
    """

    def __init__(self, count: int) -> None:
        self._waiting: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        for number in range(count):
            name = f"request-{number}"
            threading.Thread(target=self._work, name=name, daemon=True).start()

    async def run(self, function: Callable[[], T]) -> T:
        """Return what the function returns in a thread; raise what it raises."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def call() -> None:
            try:
                result = function()
            except Exception as error:  # noqa: BLE001  # the caller's
                loop.call_soon_threadsafe(_settle, done, done.set_exception, error)
            else:
                loop.call_soon_threadsafe(_settle, done, done.set_result, result)

        self._waiting.put(call)
        return await done

    def _work(self) -> None:
        while True:
            self._waiting.get()()


def _settle(done: asyncio.Future[Any], settle: Callable[[Any], None], outcome: object) -> None:
    if not done.cancelled():
        settle(outcome)
