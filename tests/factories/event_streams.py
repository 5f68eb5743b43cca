"""A server of event streams, in a thread or as a process, and clients that read frames.

`python -m tests.factories.event_streams REDIS_URL PORT [TIMING]` serves until SIGTERM.
"""

import asyncio
import http.client
import json
import socket
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from itertools import islice
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.events import frames
from api.events.connections import watch_peers
from api.events.fan_out import FanOut
from api.events.follower import Follower
from api.events.positions import Cursor
from api.events.selection import Selection
from api.events.server import StreamServer
from api.events.sse import EventStreams, NotFollowing, Timing, TooManyStreams
from webhook.server.config import configuration
from webhook.server.http_protocol import HttpLimits
from worker.jobs.job import JobState
from worker.jobs.store import connect

JOBS_URL = "/v1/jobs"


class EventServer:
    """An application with one route, /events, and its server; `query` selects and sets."""

    def __init__(
        self,
        redis_url: str,
        port: int = 0,
        *,
        timing: Timing | None = None,
        limit: int = 20,
        limits: HttpLimits | None = None,
    ) -> None:
        self.redis = connect(redis_url)
        self.fan_out = FanOut(frames.job_event)
        self.streams = EventStreams(
            self.fan_out, self.redis, jobs_url=JOBS_URL, limit=limit, timing=timing
        )
        self.listener = socket.create_server(("127.0.0.1", port))
        watch_peers([self.listener])
        self.port: int = self.listener.getsockname()[1]
        app = Starlette(routes=[Route("/events", self._events)], lifespan=self._lifespan)
        bounds = limits or HttpLimits()
        self.server = StreamServer(configuration(app, bounds), self.fan_out, bounds)

    def run(self) -> None:
        """Serve until the server's `should_exit` is set, or SIGTERM in the main thread."""
        self.server.run(sockets=[self.listener])
        self.redis.close()

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        follower = Follower(
            self.redis, lambda batch: loop.call_soon_threadsafe(self.fan_out.publish, batch)
        )
        follower.start()
        while self.fan_out.frontier is None:  # noqa: ASYNC110  # the tests begin after it
            await asyncio.sleep(0.01)
        yield
        await asyncio.to_thread(follower.stop)

    async def _events(self, request: Request) -> Response:
        query = request.query_params
        last = request.headers.get("last-event-id") or query.get("after")
        selection = Selection(
            tenant=query.get("tenant", "default"),
            job_ids=frozenset(query.getlist("job")),
            states=frozenset(map(JobState, query.getlist("state"))),
            names=frozenset(query.getlist("name")),
        )
        try:
            cursor = Cursor.parse(last) if last else None
            return self.streams.open(query.get("owner", "key"), selection, cursor)
        except TooManyStreams as error:
            return JSONResponse({"detail": str(error)}, 429)
        except NotFollowing as error:
            return JSONResponse({"detail": str(error)}, 503)


@contextmanager
def serving_events(redis_url: str, **options: Any) -> Iterator[EventServer]:
    """Run a server in a thread until the block ends."""
    server = EventServer(redis_url, **options)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        server.server.should_exit = True
        thread.join()


class StreamClient:
    """One reader of a stream over its own socket; `last_id` is what a browser would send again."""

    def __init__(self, port: int, query: str = "", *, last_id: str = "", buffer: int = 0) -> None:
        self.socket = socket.socket()
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.settimeout(30)
        self.last_id = last_id
        self.comments = 0
        try:
            self.response = self._answer(port, query)
        except BaseException:
            self.socket.close()
            raise

    def _answer(self, port: int, query: str) -> http.client.HTTPResponse:
        self.socket.connect(("127.0.0.1", port))
        resume = f"Last-Event-ID: {self.last_id}\r\n" if self.last_id else ""
        self.socket.sendall(f"GET /events?{query} HTTP/1.1\r\nHost: x\r\n{resume}\r\n".encode())
        response = http.client.HTTPResponse(self.socket)
        try:
            response.begin()
        except BaseException:
            response.close()
            raise
        return response

    def __enter__(self) -> "StreamClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.response.close()
        self.socket.close()

    def frames(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the name and data of each event, "message" by default, until the stream ends."""
        name, data = "message", ""
        for line in self.lines():
            self.note(line)
            field, _, value = line.partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                data = value
            elif not line:
                if data:
                    yield name, json.loads(data)
                name, data = "message", ""

    def events(self, count: int) -> list[dict[str, Any]]:
        """Return that many events of jobs."""
        return [data for _, data in islice(self.frames(), count)]

    def names(self, count: int) -> list[str]:
        """Return the names of that many events of jobs."""
        return [event["name"] for event in self.events(count)]

    def await_ping(self) -> None:
        """Read up to the next ping."""
        known = self.comments
        lines = self.lines()
        while self.comments == known:
            self.note(next(lines))
        self.note(next(lines))

    def note(self, line: str) -> None:
        """Remember the id in a line, or count it as a comment."""
        self.comments += line.startswith(":")
        self.last_id = line.removeprefix("id: ") if line.startswith("id: ") else self.last_id

    def lines(self) -> Iterator[str]:
        """Yield each line of the stream until it ends."""
        while line := self.response.readline():
            yield line.decode().rstrip("\n")


def timing_of(text: str) -> Timing:
    """Return the timing in a JSON object."""
    values: Mapping[str, float] = json.loads(text)
    return Timing(**values)


if __name__ == "__main__":
    _, url, number, *rest = sys.argv
    started = EventServer(
        url, int(number), timing=timing_of(rest[0]) if rest else None, limit=10**6
    )
    print(started.port, flush=True)  # noqa: T201
    started.run()
