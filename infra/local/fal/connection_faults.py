"""Connections that end as they should not, for which the server has to be reached beneath ASGI."""

import asyncio
import socket
import struct

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_LINGER_NOT = struct.pack("ii", 1, 0)


class Protocol(H11Protocol):
    """Uvicorn's protocol, which also tells each request the transport it came by."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Remember `transport` where the requests of this connection will find it."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


def transport_of(scope: Scope) -> asyncio.Transport:
    """Return the transport of the connection that a request came by."""
    transport = scope["state"]["transport"]
    assert isinstance(transport, asyncio.Transport), "served by this module's Protocol"
    return transport


class HangUp(Response):
    """No answer: the connection is closed in an orderly way, or reset."""

    def __init__(self, *, reset: bool) -> None:
        super().__init__()
        self._reset = reset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Return when the connection is gone."""
        transport = transport_of(scope)
        if self._reset:
            raw = transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
            transport.abort()
        else:
            transport.close()
        while (await receive())["type"] != "http.disconnect":
            pass
