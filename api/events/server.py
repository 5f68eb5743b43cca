"""A server that ends its streams when it stops; uvicorn would wait for their clients to leave."""

import asyncio
import socket

import uvicorn

from api.events.connections import StreamingProtocol, streaming
from api.events.fan_out import FanOut
from webhook.server.http_protocol import HttpLimits

# Seconds in which clients read the last events; then their connections are dropped.
_LAST = 1.5


class StreamServer(uvicorn.Server):
    """uvicorn with streams: at SIGTERM each says `bye`, and is closed within 2 s."""

    def __init__(self, config: uvicorn.Config, fan_out: FanOut, limits: HttpLimits) -> None:
        """Serve with these limits; `config` has its own protocol otherwise."""
        config.http = streaming(limits)
        super().__init__(config)
        self._fan_out = fan_out

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then stop as uvicorn does."""
        self._fan_out.end()
        dropped = asyncio.get_running_loop().call_later(_LAST, self._drop)
        try:
            await super().shutdown(sockets)
        finally:
            dropped.cancel()

    def _drop(self) -> None:
        for connection in list(self.server_state.connections):
            if isinstance(connection, StreamingProtocol) and connection.streaming:
                connection.transport.abort()
