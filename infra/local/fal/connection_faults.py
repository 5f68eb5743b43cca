"""Dropped connections, which need access to the server below ASGI."""

import asyncio
import socket
import struct

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_NO_LINGER = struct.pack("ii", 1, 0)


class Protocol(H11Protocol):
    """Uvicorn's protocol, which also gives each request its transport."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Store `transport` in the state of this connection's requests."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


def transport_of(scope: Scope) -> asyncio.Transport:
    """Return the transport of a request's connection."""
    transport = scope["state"]["transport"]
    assert isinstance(transport, asyncio.Transport), "served by this module's Protocol"
    return transport


class DroppedConnection(Response):
    """No response: the connection is closed, or reset."""

    def __init__(self, *, reset: bool) -> None:
        super().__init__()
        self._reset = reset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Drop the connection; return when it has ended."""
        transport = transport_of(scope)
        if self._reset:
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            transport.abort()
        else:
            transport.close()
        while (await receive())["type"] != "http.disconnect":
            pass
