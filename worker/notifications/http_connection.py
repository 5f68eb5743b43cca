"""One HTTP/1.1 connection to a receiver, over which one message after the other is sent.

A client library costs 1.5 ms for each message, most of it for pools, hooks and models of requests.
Here the request is one write, and the standard library reads the answer. Its limits are for one
wait each; these are for the whole exchange.
"""

import io
import select
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any, cast

# Bytes of an answer's body that are read. They are kept as they came: nothing is decompressed.
ANSWER = 1_024
# Bytes of an answer that are taken in at most, its head among them.
_TAKEN = 65_536
# Seconds in which the text must come after the status.
_TEXT_SECONDS = 2.0
_SWITCHING, _OK = 101, 200


class TooLong(HTTPException):
    """The head of the answer does not end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What came: `text` is the beginning of the body, `retry_after` the header."""

    status: int
    text: str
    retry_after: str


class HttpConnection:
    """A connection that is open; it belongs to one thread at a time."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._incoming = _Incoming(connected)
        self._reader = _Reader(self._incoming)
        # Since when it waits for the next message; whether it can take one.
        self.idle_since = 0.0
        self.is_open = True

    def exchange(self, request: bytes, ends: float) -> Response:
        """Send a request and return the answer, before `ends` of the monotonic clock.

        Raises TimeoutError, HTTPException and OSError; then the connection is of no more use.
        """
        self.is_open = False
        self._incoming.begin(ends)
        # Who refuses a body may close before it has read all of it, and has answered all the same.
        with suppress(ConnectionError):
            self._socket.settimeout(max(ends - time.monotonic(), 0.001))
            self._socket.sendall(request)
        response = self._response()
        text = self._text(response)
        ended = response.isclosed() or response.length == 0
        self._incoming.end()
        # Bytes beyond the answer would be taken for the next one.
        self.is_open = ended and not response.will_close and not self._reader.peek(1)
        self.idle_since = time.monotonic()
        after = response.getheader("Retry-After") or ""
        return Response(status=response.status, text=text, retry_after=after[:100])

    def _response(self) -> HTTPResponse:
        """Return the answer, without those that only announce it (1xx)."""
        while True:
            response = HTTPResponse(cast(socket.socket, self), method="POST")
            response.begin()
            if response.status >= _OK or response.status == _SWITCHING:
                return response

    def _text(self, response: HTTPResponse) -> str:
        read = b""
        self._incoming.begin(min(self._incoming.ends, time.monotonic() + _TEXT_SECONDS))
        # The status has come: a body that breaks off or does not end changes nothing.
        with suppress(OSError, HTTPException):
            while len(read) < ANSWER and (some := response.read1(ANSWER - len(read))):
                read += some
        return read.decode(errors="replace")

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return what HTTPResponse reads: the same for every answer, as it may hold the next."""
        return self._reader

    def is_ready(self, now: float, kept: float) -> bool:
        """Return whether it can take a message: it was idle for less than `kept` seconds."""
        if not self.is_open or now - self.idle_since >= kept:
            return False
        # What can be read is the end of the connection.
        polled = select.poll()
        polled.register(self._socket, select.POLLIN)
        return not polled.poll(0)

    def close(self) -> None:
        """Close it."""
        self.is_open = False
        with suppress(OSError):
            self._socket.close()


class _Incoming(io.RawIOBase):
    """What the peer sends, until the exchange has to be over."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._left = 0
        self.ends = 0.0

    def begin(self, ends: float) -> None:
        """Let bytes be read until then."""
        self.ends = ends
        self._left = _TAKEN

    def end(self) -> None:
        """Let none be read."""
        self._left = -1

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._left < 0:
            return None
        if not self._left:
            raise TooLong
        left = self.ends - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        count = self._socket.recv_into(buffer, min(len(buffer), self._left))
        self._left -= count
        return count


class _Reader(io.BufferedReader):
    """What is not closed at the end of an answer."""

    def close(self) -> None:
        """Do nothing: the connection is closed by itself."""
