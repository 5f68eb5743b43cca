"""Faults in the transfer of a file: cut off, slow, or without its length."""

import asyncio
from collections.abc import Callable, MutableMapping
from functools import partial
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from infra.local.fal.mishaps import Mishaps

_PIECES = 50
_Message = MutableMapping[str, Any]
_Fault = Callable[[Send], Send]


def with_faults(
    whole: Response, mishaps: Mishaps, *, nth: int, transport: asyncio.Transport
) -> Response:
    """Return the response to the `nth` request over `transport`; `whole` without mishaps."""
    faults = _faults(mishaps, nth, transport)
    return _FaultyResponse(whole, faults) if faults else whole


def _faults(mishaps: Mishaps, nth: int, transport: asyncio.Transport) -> list[_Fault]:
    faults: list[_Fault] = []
    if mishaps.applies("cdn-cut", nth):
        faults.append(partial(_cut, transport))
    if "cdn-slow" in mishaps:
        faults.append(partial(_slow, mishaps.number("cdn-slow")))
    if "cdn-no-length" in mishaps:
        faults.append(_without_length)
    return faults


class _FaultyResponse(Response):
    """A response whose transfer is altered."""

    def __init__(self, whole: Response, faults: list[_Fault]) -> None:
        super().__init__()
        self._whole, self._faults = whole, faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        for fault in self._faults:
            send = fault(send)
        await self._whole(scope, receive, send)


def _length(message: _Message) -> int:
    headers = dict(message["headers"])
    return int(headers.get(b"content-length", 0))


def _cut(transport: asyncio.Transport, send: Send) -> Send:
    """Send half of the announced body, then close the connection."""
    left = 0

    async def half(message: _Message) -> None:
        nonlocal left
        if message["type"] == "http.response.start":
            left = _length(message) // 2
            await send(message)
            return
        part = message.get("body", b"")[:left]
        left -= len(part)
        if left:
            await send(message)
        else:
            await send({"type": "http.response.body", "body": part, "more_body": True})
            transport.close()
            await (
                asyncio.Event().wait()
            )  # cancelled by the response once the client has disconnected

    return half


def _slow(seconds: float, send: Send) -> Send:
    """Send the body in small pieces over `seconds`."""
    size = 1

    async def trickle(message: _Message) -> None:
        nonlocal size
        if message["type"] == "http.response.start":
            size = max(_length(message) // _PIECES, 1)
            await send(message)
            return
        body = message.get("body", b"")
        for start in range(0, len(body), size):
            piece = {
                "type": "http.response.body",
                "body": body[start : start + size],
                "more_body": True,
            }
            await send(piece)
            await asyncio.sleep(seconds / _PIECES)
        await send({**message, "body": b""})

    return trickle


def _without_length(send: Send) -> Send:
    async def chunked(message: _Message) -> None:
        if message["type"] == "http.response.start":
            headers = [pair for pair in message["headers"] if pair[0] != b"content-length"]
            message = {**message, "headers": headers}
        await send(message)

    return chunked
