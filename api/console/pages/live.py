"""The stream of changes: ids of jobs only, for as long as the session lasts."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from redis import Redis
from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from api.console.gate import Gate
from api.console.visit import Page, Visit
from api.events.entries import Entry
from api.events.positions import Cursor
from api.events.selection import Selection
from api.events.sse import EventStreams, NotFollowing, TooManyStreams
from api.problems import RETRY_AFTER, ProblemError

# Seconds between two looks at the session of an open stream.
_LOOK = 1.0


def changed(entry: Entry) -> bytes:
    """Return an event as pages get it: the id of its job."""
    return f"id: {entry.id}\ndata: {entry.event['id']}\n\n".encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """The handlers of the stream, and of the question whether what a page shows can be read."""

    streams: EventStreams
    gate: Gate
    redis: Redis

    async def stream(self, visit: Visit) -> Response:
        """Answer GET /console/live."""
        last = visit.request.headers.get("last-event-id", "")
        try:
            stream = self.streams.open(
                f"console {visit.signed_in.key.id}",
                Selection(tenant=visit.tenant),
                Cursor.parse(last) if last else None,
            )
        except ValueError:
            raise ProblemError("bad_cursor", "Last-Event-ID is not an id of an event") from None
        except TooManyStreams as error:
            raise ProblemError("too_many_streams", str(error), retry_after=RETRY_AFTER) from None
        except NotFollowing as error:
            raise ProblemError("unavailable", str(error), code="redis_unavailable") from None
        return _WhileSignedIn(stream, self.gate)

    def pulse(self, _visit: Visit) -> Response:
        """Answer GET /console/pulse: 503 while Redis is away."""
        self.redis.ping()
        return Response("<!doctype html><title>ok</title>", 200, media_type="text/html")


class _WhileSignedIn(Response):
    """A stream whose reader seems to leave when its session ends."""

    def __init__(self, stream: Response, gate: Gate) -> None:
        self.status_code, self.background = stream.status_code, None
        self.raw_headers = stream.raw_headers
        self._stream, self._gate = stream, gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request."""

        async def received() -> Message:
            leaving = asyncio.ensure_future(receive())
            try:
                while True:
                    await asyncio.wait({leaving}, timeout=_LOOK)
                    if leaving.done():
                        return leaving.result()
                    with suppress(RedisError):  # nobody knows: the stream has no news either
                        if await self._gate.session_of(Request(scope)) is None:
                            return {"type": "http.disconnect"}
            finally:
                leaving.cancel()

        await self._stream(scope, received, send)


def pages(live: Live) -> Sequence[Page]:
    """Return the stream and the pulse."""
    return (
        Page(method="GET", path="/console/live", name="live", handler=live.stream),
        Page(method="GET", path="/console/pulse", name="pulse", handler=live.pulse),
    )
