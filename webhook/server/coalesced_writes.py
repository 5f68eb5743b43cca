"""One packet for an answer that uvicorn writes in two: status and headers, then the body."""

import asyncio
from typing import Any


class CoalescedWrites(asyncio.Transport):
    """A transport whose writes of one turn of the event loop leave together at its end.

    A write is a tenth of what a callback costs the receiver, and a packet as much to its reader.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._waiting: list[bytes | bytearray | memoryview] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take data, which is sent with whatever else comes in this turn."""
        if not self._waiting:
            self._loop.call_soon(self._send)
        self._waiting.append(data)

    def _send(self) -> None:
        if self._waiting and not self._transport.is_closing():
            self._transport.write(b"".join(self._waiting))
        self._waiting.clear()

    def close(self) -> None:
        """Send what waits, then end the connection."""
        self._send()
        self._transport.close()

    def abort(self) -> None:
        """End the connection now; what waits is lost."""
        self._waiting.clear()
        self._transport.abort()

    def is_closing(self) -> bool:
        """As the transport's own."""
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As the transport's own."""
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """As the transport's own."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """As the transport's own."""
        self._transport.resume_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """As the transport's own."""
        self._transport.set_protocol(protocol)
