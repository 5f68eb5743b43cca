"""Connections that carry a stream: no limit of time, small buffers, and a way to drop the peer."""

import asyncio
import math
import socket
from collections.abc import Callable, Iterable
from typing import cast

from starlette.types import Scope

from webhook.server.http_protocol import BoundedProtocol, HttpLimits

# The name of this server's extension of ASGI: a function that makes the answer a stream.
_STREAM = "falhook.stream"
# Bytes that wait for one reader in the kernel, and in this process.
_KERNEL_BUFFER, _BUFFER = 64 * 1024, 16 * 1024
# A peer that vanished is found by a probe of an idle connection, or by data that it does not
# acknowledge. https://man7.org/linux/man-pages/man7/tcp.7.html
_IDLE, _BETWEEN, _PROBES = 15, 5, 4
_UNACKNOWLEDGED = 20


class StreamingProtocol(BoundedProtocol):
    """A bounded connection; an answer that is a stream has no limit of time."""

    streaming = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the transport itself, beside the one that coalesces writes."""
        self._opened = transport
        super().connection_made(transport)

    def on_headers_complete(self) -> None:
        """Offer the extension to the application."""
        super().on_headers_complete()
        if self._head_complete:
            extensions = cast(dict[str, object], cast(Scope, self.scope)["extensions"])
            extensions[_STREAM] = self.begin_stream

    def begin_stream(self) -> Callable[[], None]:
        """Lift the limit of time for this answer; return what drops the connection at once."""
        self.streaming = True
        self._opened.set_write_buffer_limits(high=_BUFFER)
        opened = self._opened.get_extra_info("socket")
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BUFFER)
        return self.transport.abort

    def on_response_complete(self) -> None:
        """Limit the next answer of this connection again."""
        self.streaming = False
        super().on_response_complete()

    def _time_limit(self) -> float:
        answering = self._head_complete and not self._receiving
        return math.inf if self.streaming and answering else super()._time_limit()


def streaming(limits: HttpLimits) -> type[StreamingProtocol]:
    """Return a protocol class with these limits, for uvicorn's `http`."""
    return type("StreamingProtocol", (StreamingProtocol,), {"limits": limits})


def begin_stream(scope: Scope) -> Callable[[], None]:
    """Make the answer to this request a stream; return what drops its connection at once."""
    begin = cast("dict[str, Callable[[], Callable[[], None]]]", scope.get("extensions", {})).get(
        _STREAM
    )
    return begin() if begin is not None else lambda: None


def watch_peers(listeners: Iterable[socket.socket]) -> None:
    """Let the kernel end connections whose peer has vanished, within 45 s.

    Accepted sockets have the options of the one that listens. Systems other than Linux only probe.
    """
    options = {
        "TCP_KEEPIDLE": _IDLE,
        "TCP_KEEPINTVL": _BETWEEN,
        "TCP_KEEPCNT": _PROBES,
        "TCP_USER_TIMEOUT": _UNACKNOWLEDGED * 1_000,
    }
    for listener in listeners:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in options.items():
            if hasattr(socket, name):
                listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
