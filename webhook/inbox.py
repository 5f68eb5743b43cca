"""The inbox: verified callbacks written down, many in one round trip, before fal gets its 200.

Callbacks that arrive while a write is under way share the next one; a lone callback waits for
nobody. Each is answered when Redis has its own write (on the append-only file, with
`appendfsync always`). One wake then goes out for the batch; a lost wake costs nothing, since the
sweep finds what is pending.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from webhook.contract import INBOX, WAKE_GRACE, Callback, inbox_key
from webhook.log import get_logger

MAX_BATCH = 256
MAX_PENDING = 10_000
# fal gives up after 15 s; a write that takes longer than this is answered 503, in seconds.
WRITE_TIMEOUT = 4.0

log = get_logger()


class InboxUnavailable(Exception):
    """The callback could not be written down; fal must try again. `reason` is the one word."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    job_id: str
    callback: Callback
    written: asyncio.Future[None]


class Inbox:
    """Group commit of callbacks; `run` must be running for `put` to return."""

    def __init__(
        self,
        redis: Redis,
        wake: Callable[[Sequence[str]], None],
        *,
        observe: Callable[[int], None] = lambda _size: None,
    ) -> None:
        self._redis = redis
        self._wake = wake
        self._observe = observe
        self._waiting: deque[_Entry] = deque()
        self._arrived = asyncio.Event()

    async def put(self, job_id: str, callback: Callback) -> None:
        """Afterwards the callback stands in Redis. Raises InboxUnavailable if it may not."""
        if len(self._waiting) >= MAX_PENDING:
            raise InboxUnavailable("overloaded")
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Entry(job_id=job_id, callback=callback, written=written))
        self._arrived.set()
        await written

    async def run(self) -> None:
        """Write what waits, batch after batch, until cancelled."""
        while True:
            await self._arrived.wait()
            batch = [self._waiting.popleft() for _ in range(min(MAX_BATCH, len(self._waiting)))]
            if not self._waiting:
                self._arrived.clear()
            self._observe(len(batch))
            await self._commit(batch)

    async def _commit(self, batch: Sequence[_Entry]) -> None:
        try:
            async with asyncio.timeout(WRITE_TIMEOUT):
                await self._write(batch)
        except Exception as error:  # noqa: BLE001  # whatever it was, every caller needs its answer
            log.warning("inbox.unavailable", error=type(error).__name__, callbacks=len(batch))
            for entry in batch:
                _settle(entry.written, InboxUnavailable("inbox_unavailable"))
            return
        for entry in batch:
            _settle(entry.written, None)
        self._wake(sorted({entry.job_id for entry in batch}))

    async def _write(self, batch: Sequence[_Entry]) -> None:
        # MULTI, so that no entry can stand there without its mark in the set of pending ones.
        pipe = self._redis.pipeline(transaction=True)
        for entry in batch:
            callback = entry.callback
            pipe.hsetnx(inbox_key(entry.job_id), callback.fingerprint, callback.encode())
            pipe.zadd(INBOX, {entry.job_id: callback.received_at + WAKE_GRACE}, nx=True)
        execute: Awaitable[object] = pipe.execute()
        await execute


def _settle(future: asyncio.Future[None], error: Exception | None) -> None:
    # The request may be gone: its client hung up, or the server is shutting down.
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
