"""HTTP/1.1 with limits on everything that a peer may send, keep open or wait for.

uvicorn itself limits neither heads, nor silent connections, nor requests queued on a connection.
"""

import asyncio
import weakref
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from webhook.body import MAX_BODY
from webhook.responses import RETRY_AFTER, WHOLE_RESPONSE
from webhook.server.coalesced_writes import CoalescedWrites
from webhook.server.request_parser import RequestParser, head_without_offer
from webhook.server.whole_response import respond


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """The limits of connections and requests, in bytes and seconds."""

    connections: int = 4_096
    head_bytes: int = 16 * 1024
    # Larger than the largest body, since chunk sizes, discarded bodies and trailers count too.
    request_bytes: int = 2 * MAX_BODY
    pipelined: int = 4
    # From the connection, or the first byte of a request, to the end of its head.
    head_seconds: float = 10.0
    # To the last byte of its body; the receiver allows 10 s once the body has begun.
    body_seconds: float = 15.0
    # To the last byte of its answer; includes fetching keys (5 s) and the inbox (4 s).
    answer_seconds: float = 30.0


_UNAVAILABLE = (
    f"HTTP/1.1 503 Service Unavailable\r\nretry-after: {RETRY_AFTER}\r\n"
    "content-length: 0\r\nconnection: close\r\n\r\n"
).encode()


class _HeadTooLarge(Exception):
    """The request has more header bytes than allowed."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection; a peer that exceeds a limit gets an error where possible, and is closed."""

    limits = HttpLimits()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.parser = RequestParser(self, self._ignore_offer)
        # The head that was just parsed offers another protocol: it is parsed again without that.
        self._offered = False
        self._timer: asyncio.TimerHandle | None = None
        # When the unanswered request began, in seconds of the loop; None on an idle connection.
        self._began: float | None = None
        self._head_complete = False
        self._receiving = False
        self._head_bytes = 0
        self._request_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(CoalescedWrites(transport, self.loop))
        if len(self.connections) > self.limits.connections:
            transport.write(_UNAVAILABLE)
            transport.close()
            return
        self._began = self.loop.time()
        self._schedule_check(self.limits.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        if self._began is None:
            self._began = self.loop.time()
            self._head_complete = False
        super().data_received(data)
        self._request_bytes += len(data)
        if self.transport.is_closing():
            return
        if self._request_bytes > self.limits.request_bytes:
            self.transport.abort()
        elif not self._head_complete and self._request_bytes > self.limits.head_bytes:
            self.send_400_response("Request head too large.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._offered = False
        self._began = self.loop.time()
        self._receiving = True
        self._head_complete = False
        self._head_bytes = 0
        self._request_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > self.limits.head_bytes:
            raise _HeadTooLarge
        # Inlined from the overridden method: calling it for every header costs more than its work.
        name = name.lower()
        if name == b"expect" and value.strip().lower() == b"100-continue":
            self.expect_100_continue = True
        # https://www.rfc-editor.org/rfc/rfc9110#section-5.5 ; llhttp removes only those before it.
        self.headers.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        self._check_url()
        if self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT":
            self._offered = True
            return
        self._head_complete = True
        super().on_headers_complete()
        scope = cast(dict[str, object], self.scope)
        # The cycle has the scope. If this had the cycle, both would stay, with the body, until
        # garbage is collected, which stops all requests.
        scope["extensions"] = {WHOLE_RESPONSE: partial(respond, weakref.ref(self.cycle))}
        if len(self.pipeline) > self.limits.pipelined:
            self.transport.abort()

    def _check_url(self) -> None:
        if len(self.url) > self.limits.head_bytes:
            raise _HeadTooLarge

    def on_message_complete(self) -> None:
        if self._offered:
            return
        self._receiving = False
        super().on_message_complete()

    def _ignore_offer(self, rest: bytes) -> None:
        if not self._offered:
            return
        method, version = self.parser.get_method(), self.parser.get_http_version()
        head = head_without_offer(method, self.url, version, self.headers)
        self.parser = RequestParser(self, self._ignore_offer)
        self.parser.feed_data(head + rest)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self._receiving and not self.pipeline:
            self._began = None

    def send_400_response(self, msg: str) -> None:
        if self.cycle is None or self.cycle.response_complete:
            super().send_400_response(msg)
        elif self._receiving and self._head_complete:
            self.transport.abort()
        else:
            # A 400 now would look like the answer to the previous request, which is in progress.
            self.cycle.keep_alive = False
            self.flow.pause_reading()

    def _schedule_check(self, seconds: float) -> None:
        self._timer = self.loop.call_later(seconds, self._check_time)

    def _check_time(self) -> None:
        left = self.limits.head_seconds
        if self._began is not None:
            left = min(left, self._began + self._time_limit() - self.loop.time())
        if left > 0:
            self._schedule_check(left)
        else:
            self.transport.abort()

    def _time_limit(self) -> float:
        if not self._head_complete:
            return self.limits.head_seconds
        return self.limits.body_seconds if self._receiving else self.limits.answer_seconds


def bounded_by(limits: HttpLimits) -> type[BoundedProtocol]:
    """Return a protocol class with these limits."""
    return type("BoundedProtocol", (BoundedProtocol,), {"limits": limits})
