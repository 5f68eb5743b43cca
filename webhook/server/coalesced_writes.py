"""One packet for each response, which uvicorn writes in two: head and body."""

import asyncio
from typing import Any


class CoalescedWrites(asyncio.Transport):
    """A transport that sends all writes of one turn of the event loop together.

    A write takes a tenth of the time of a callback, and a packet as much at the reader.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._pending: list[bytes | bytearray | memoryview] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Buffer `data` until the end of this turn."""
        if not self._pending:
            self._loop.call_soon(self._send)
        self._pending.append(data)

    def write_whole(self, data: bytes) -> None:
        """Send a complete response, which needs not wait for the end of this turn."""
        if self._pending:
            self._pending.append(data)
        elif not self._transport.is_closing():
            self._transport.write(data)

    def _send(self) -> None:
        if self._pending and not self._transport.is_closing():
            self._transport.write(b"".join(self._pending))
        self._pending.clear()

    def close(self) -> None:
        """Send buffered data, then close the connection."""
        self._send()
        self._transport.close()

    def abort(self) -> None:
        """Close the connection now; buffered data is lost."""
        self._pending.clear()
        self._transport.abort()

    def is_closing(self) -> bool:
        """Delegate to the transport."""
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Delegate to the transport."""
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Delegate to the transport."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Delegate to the transport."""
        self._transport.resume_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Delegate to the transport."""
        self._transport.set_protocol(protocol)
