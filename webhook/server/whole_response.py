"""Responses that are formatted in advance, as one write.

uvicorn takes each response in two messages, and checks and joins its headers: a tenth of the time
of a callback.
"""

import weakref
from collections.abc import Iterable
from typing import cast

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from webhook.responses import WholeResponse
from webhook.server.coalesced_writes import CoalescedWrites


async def respond(reference: "weakref.ref[RequestResponseCycle]", response: WholeResponse) -> None:
    """Answer the request of a cycle, as the two messages of ASGI together would."""
    cycle = reference()
    if cycle is None:
        return
    if cycle.flow.write_paused and not cycle.disconnected:
        await cycle.flow.drain()
    if cycle.disconnected:
        return
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    data = wire(response, cycle.default_headers, keep_alive=cycle.keep_alive)
    cast(CoalescedWrites, cycle.transport).write_whole(data)
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()


def wire(
    response: WholeResponse, default_headers: Iterable[tuple[bytes, bytes]], *, keep_alive: bool
) -> bytes:
    """Return the bytes of a response with these headers, which all responses of the server have."""
    parts = [response.status_line]
    for name, value in default_headers:
        parts += (name, b": ", value, b"\r\n")
    parts.append(response.headers)
    if not keep_alive:
        parts.append(b"connection: close\r\n")
    parts += (b"\r\n", response.body)
    return b"".join(parts)
