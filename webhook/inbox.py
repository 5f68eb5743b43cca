"""The inbox: verified callbacks stored in Redis, in batches, before fal gets its 200.

Callbacks that arrive during a write share the next one, and so do those that arrive shortly after
another: a write costs as much as two callbacks. A lone callback is written immediately.
Each is answered once Redis has stored it (in the append-only file, with `appendfsync always`) and
its replicas have it too.
Those of one shard are stored by one script, and the batch then gets one wake. Losing that wake is
harmless: the sweep finds pending callbacks.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from redis.asyncio import Redis

from webhook.contract import INBOX, INGEST_GRACE, Callback
from webhook.log import get_logger
from webhook.redis.confirmation import AsyncConfirmedScripts
from webhook.redis.replicas import Argument
from webhook.shards import shard_key, shard_of

MAX_BATCH = 256
# The callback that reaches this size is the last of its batch.
MAX_BATCH_BYTES = 4 * 1024 * 1024
MAX_PENDING = 10_000
# Seconds between the beginnings of two writes, unless so many callbacks wait, or half as many as
# were in the last one.
INTERVAL, ENOUGH = 0.009, 4
# Seconds after which a write is answered 503; fal itself gives up after 15 s.
WRITE_TIMEOUT = 4.0

# One script for the callbacks of a shard, so that none is stored without its entry in the sorted
# set. It is sent as text, which Redis compiles once: a script that it forgot costs no second trip.
_WRITE = """
for at = 2, #ARGV, 3 do
  local key = KEYS[1] .. ':' .. ARGV[at]
  if redis.call('HSETNX', key, ARGV[at + 1], ARGV[at + 2]) == 0 then
    -- The first delivery may not have reached a replica: only a write makes WAIT wait for it.
    redis.call('HSET', key, ARGV[at + 1], redis.call('HGET', key, ARGV[at + 1]))
  end
  redis.call('ZADD', KEYS[1], 'NX', ARGV[1], ARGV[at])
end
"""

log = get_logger()


class InboxUnavailable(Exception):
    """The callback could not be stored; fal must deliver it again. `reason` is the reason code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Entry(NamedTuple):
    job_id: str
    callback: Callback
    settle: Callable[[InboxUnavailable | None], None]


class Inbox:
    """Group commit of callbacks; `put` returns only while `run` is running."""

    def __init__(
        self,
        redis: Redis,
        wake: Callable[[Sequence[str]], None],
        *,
        observe: Callable[[int], None] = lambda _size: None,
        max_pending: int = MAX_PENDING,
        seconds: float = WRITE_TIMEOUT,
    ) -> None:
        self._scripts = AsyncConfirmedScripts(redis)
        self._wake = wake
        self._observe = observe
        self._max_pending = max_pending
        self._seconds = seconds
        self._waiting: deque[_Entry] = deque()
        self._arrived = asyncio.Event()
        # Callbacks that must wait for `arrived` to be set, and when the last write began.
        self._wanted = 1
        self._began = float("-inf")

    async def put(self, job_id: str, callback: Callback) -> None:
        """Store the callback in Redis. Raises InboxUnavailable if it may not be stored."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.submit(job_id, callback, partial(_set, written))
        await written

    def submit(
        self, job_id: str, callback: Callback, settle: Callable[[InboxUnavailable | None], None]
    ) -> None:
        """Have the callback stored; `settle` is called once it is, or with why it may not be.

        Raises InboxUnavailable if too many are waiting; `settle` is then not called.
        """
        if len(self._waiting) >= self._max_pending:
            raise InboxUnavailable("overloaded")
        self._waiting.append(_Entry(job_id, callback, settle))
        if len(self._waiting) >= self._wanted:
            self._arrived.set()

    async def run(self) -> None:
        """Write waiting callbacks, batch after batch, until cancelled."""
        size = 0
        while True:
            await self._arrived.wait()
            await self._gather(size // 2)
            batch = self._next_batch()
            size = len(batch)
            if not self._waiting:
                self._arrived.clear()
            self._observe(size)
            await self._commit(batch)

    async def _gather(self, enough: int) -> None:
        """Wait for more callbacks if the last write began a moment ago."""
        loop = asyncio.get_running_loop()
        self._wanted = max(ENOUGH, enough)
        left = self._began + INTERVAL - loop.time()
        if left > 0 and len(self._waiting) < self._wanted:
            self._arrived.clear()
            timer = loop.call_later(left, self._arrived.set)
            await self._arrived.wait()
            timer.cancel()
        self._wanted = 1
        self._began = loop.time()

    def _next_batch(self) -> Sequence[_Entry]:
        batch: list[_Entry] = []
        size = 0
        while self._waiting and len(batch) < MAX_BATCH and size < MAX_BATCH_BYTES:
            entry = self._waiting.popleft()
            batch.append(entry)
            size += len(entry.callback.body)
        return batch

    async def _commit(self, batch: Sequence[_Entry]) -> None:
        shards: dict[int, list[_Entry]] = {}
        for entry in batch:
            shards.setdefault(shard_of(entry.job_id), []).append(entry)
        try:
            async with asyncio.timeout(self._seconds):
                refused = await self._store(shards)
        except Exception as error:  # noqa: BLE001  # every caller needs an answer, whatever failed
            # Waiting callbacks fail too: another write could take them past fal's own timeout.
            self._refuse([*batch, *self._waiting], error)
            self._waiting.clear()
            self._arrived.clear()
            return
        for shard, refusal in refused.items():
            self._refuse(shards.pop(shard), refusal)
        stored = [entry for entries in shards.values() for entry in entries]
        for entry in stored:
            _settle(entry, None)
        self._wake([entry.job_id for entry in stored])

    async def _store(self, shards: Mapping[int, Sequence[_Entry]]) -> Mapping[int, Exception]:
        """Write the callbacks of each shard; return the errors of those that were not stored."""
        keys = {shard_key(shard, INBOX): shard for shard in shards}
        errors = await self._scripts.eval(
            _WRITE, {key: _arguments(shards[shard]) for key, shard in keys.items()}
        )
        return {keys[key]: error for key, error in errors.items()}

    def _refuse(self, entries: Sequence[_Entry], error: Exception) -> None:
        log.warning("inbox.unavailable", error=error, callbacks=len(entries))
        for entry in entries:
            _settle(entry, InboxUnavailable("inbox_unavailable"))


def _arguments(entries: Sequence[_Entry]) -> Sequence[Argument]:
    """Return the arguments of _WRITE for the callbacks of one shard."""
    arguments: list[Argument] = [entries[-1].callback.received_at + INGEST_GRACE]
    for entry in entries:
        callback = entry.callback
        fingerprint = callback.fingerprint.encode()
        arguments += (entry.job_id.encode(), fingerprint, callback.encode())
    return arguments


def _settle(entry: _Entry, error: InboxUnavailable | None) -> None:
    try:
        entry.settle(error)
    except Exception as broken:  # noqa: BLE001  # the others of its batch must be answered
        context = {"message": "a callback could not be answered", "exception": broken}
        asyncio.get_running_loop().call_exception_handler(context)


def _set(future: asyncio.Future[None], error: InboxUnavailable | None) -> None:
    # A cancelled request: its client hung up, or the server is shutting down.
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
