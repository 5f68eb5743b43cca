"""Live streams of events (Server-Sent Events), each an answer that goes on until its client leaves.

The framing is ours and not sse-starlette's (3.7): that replaces a method of uvicorn's Server when
it is imported, looks twice a second whether the process stops, runs four tasks for each stream,
and after a send that took too long waits until the peer has read the rest.
"""

import asyncio
import random
import weakref
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from redis import Redis
from redis.exceptions import RedisError
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.events import frames
from api.events.connections import begin_stream
from api.events.entries import kept, settled
from api.events.fan_out import Ending, FanOut, Subscription
from api.events.pages import read_page
from api.events.positions import Cursor, EventId, Positions
from api.events.selection import Selection

_T = TypeVar("_T")

# Threads of a process that read what streams have missed; the other requests have their own.
_THREADS = 4
# Events of one read, which are sent before the next.
_PAGE = 200
# Seconds in which a dropped connection is gone.
_GONE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds: between pings, for one send, between two sends, and before a client comes again.

    Events of `pace` seconds are sent together, since a send costs more than an event; the first
    after a pause is sent at once. A client waits between one and two times `retry`.
    """

    ping: float = 15.0
    send: float = 10.0
    pace: float = 0.2
    retry: float = 2.0


class TooManyStreams(Exception):
    """The owner has as many streams as it may have."""


class NotFollowing(Exception):
    """Redis was not read yet: a stream could not say where it begins."""


class EventStreams:
    """The streams of a process. `owner` is what they are counted by, such as the id of a key."""

    def __init__(
        self,
        fan_out: FanOut,
        redis: Redis,
        *,
        jobs_url: str,
        limit: int = 20,
        timing: Timing | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.fan_out = fan_out
        self.redis = redis
        self.jobs_url = jobs_url
        self.timing = timing or Timing()
        self._limit = limit
        self._rng = rng or random.Random()  # noqa: S311  # spreads clients, hides nothing
        self._open: Counter[str] = Counter()
        self._threads = CapacityLimiter(_THREADS)

    def open(self, owner: str, selection: Selection, cursor: Cursor | None = None) -> "EventStream":
        """Return a stream of events after `cursor`, or of those from now on, as an answer.

        Raises TooManyStreams and NotFollowing. It counts until it ends, or is forgotten.
        """
        if self._open[owner] >= self._limit:
            raise TooManyStreams(f"there are {self._limit} streams already: close one of them")
        if self.fan_out.frontier is None:
            raise NotFollowing("Redis is not reachable yet: try again in a second")
        self._open[owner] += 1
        stream = EventStream(self, selection, cursor)
        stream.closed = weakref.finalize(stream, self._closed, owner)
        return stream

    def _closed(self, owner: str) -> None:
        self._open[owner] -= 1
        if not self._open[owner]:
            del self._open[owner]

    def retry(self) -> float:
        """Return after how many seconds a client should connect again, another number each time."""
        return self.timing.retry * (1.0 + self._rng.random())

    async def in_thread(self, function: Callable[[], _T]) -> _T:
        """Return the function's result."""
        return await run_sync(function, limiter=self._threads)


class EventStream(Response):
    """The events of one client, until it leaves, is too slow, or the process stops."""

    media_type = "text/event-stream"

    def __init__(self, streams: EventStreams, selection: Selection, cursor: Cursor | None) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers(frames.HEADERS)
        self.closed: Callable[[], object] = lambda: None
        self._streams = streams
        self._selection = selection
        self._cursor = cursor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            if scope["method"] == "HEAD":
                await send({"type": "http.response.body"})
            else:
                await self._stream(scope, receive, send)
        finally:
            self.closed()

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        drop = begin_stream(scope)
        writer = _Writer(send, self._streams.timing.send)
        leaving = asyncio.create_task(_until_left(receive))
        try:
            await self._events(writer, leaving)
            await writer.end()
        except TimeoutError:
            drop()
            await asyncio.wait({leaving}, timeout=_GONE)
        finally:
            leaving.cancel()

    async def _events(self, writer: "_Writer", leaving: "asyncio.Task[None]") -> None:
        fan_out = self._streams.fan_out
        try:
            read = await self._caught_up(writer, leaving) if self._cursor else None
            with fan_out.subscribed(self._selection) as live:
                leaving.add_done_callback(lambda _: live.end(Ending.GONE))
                if read is None:
                    await writer.write(frames.hello(self._streams.retry(), fan_out.frontier))
                else:
                    live.skip(await self._read(read, writer, leaving))
                ending = await self._live(live, writer)
        except RedisError:
            ending = Ending.RESET
        if ending is not Ending.GONE:
            await writer.write(frames.control(ending))

    async def _caught_up(self, writer: "_Writer", leaving: "asyncio.Task[None]") -> Positions:
        """Send what happened since the cursor, before live events are queued."""
        streams = self._streams
        assert self._cursor is not None
        await writer.write(frames.hello(streams.retry(), self._cursor.event))
        known = await streams.in_thread(partial(kept, streams.redis))
        positions, gap = settled(self._cursor, known)
        if gap:
            await writer.write(frames.control("gap", jobs=streams.jobs_url))
        return await self._read(positions, writer, leaving)

    async def _read(
        self, after: Positions, writer: "_Writer", leaving: "asyncio.Task[None]"
    ) -> Positions:
        """Send what follows these positions up to now; return the positions then."""
        streams, more = self._streams, True
        while more and not leaving.done() and not streams.fan_out.ended:
            read = partial(read_page, streams.redis, after, wanted=self._selection.has, limit=_PAGE)
            page = await streams.in_thread(read)
            after, more = page.after, page.more
            for entry in page.entries:
                await writer.write(streams.fan_out.render(entry), entry.id)
            if page.last is not None and page.last != writer.last:
                await writer.write(frames.ping(page.last), page.last)
        return after

    async def _live(self, live: Subscription, writer: "_Writer") -> Ending:
        timing, fan_out = self._streams.timing, self._streams.fan_out
        while True:
            messages = await live.take(timing.ping)
            if messages:
                await writer.write(b"".join(each.frame for each in messages), messages[-1].id)
            elif live.ending is not None:
                return live.ending
            else:
                last = max(filter(None, (fan_out.frontier, writer.last)), default=None)
                await writer.write(frames.ping(last), last)
            await live.gather(timing.pace)


class _Writer:
    """Writes to one client; `last` is the id of the last event that it got."""

    def __init__(self, send: Send, seconds: float) -> None:
        self._send = send
        self._seconds = seconds
        self.last: EventId | None = None

    async def write(self, data: bytes, last: EventId | None = None) -> None:
        """Send the bytes. Raises TimeoutError if the client does not read on."""
        async with asyncio.timeout(self._seconds):
            await self._send({"type": "http.response.body", "body": data, "more_body": True})
        self.last = last or self.last

    async def end(self) -> None:
        """Complete the answer. Raises TimeoutError."""
        async with asyncio.timeout(self._seconds):
            await self._send({"type": "http.response.body"})


async def _until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
