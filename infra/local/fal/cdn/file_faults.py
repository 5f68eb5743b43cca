"""What becomes of a file on its way to the client: cut, slowed, without its length."""

import asyncio
from collections.abc import Callable, MutableMapping
from functools import partial
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from infra.local.fal.mishaps import Mishaps

_PIECES = 50
_Message = MutableMapping[str, Any]
_Spoiler = Callable[[Send], Send]


def spoiled(
    whole: Response, mishaps: Mishaps, *, nth: int, transport: asyncio.Transport
) -> Response:
    """The response as the `nth` client gets it, by `transport`; `whole` itself without mishaps."""
    spoilers = _spoilers(mishaps, nth, transport)
    return _Spoiled(whole, spoilers) if spoilers else whole


def _spoilers(mishaps: Mishaps, nth: int, transport: asyncio.Transport) -> list[_Spoiler]:
    found: list[_Spoiler] = []
    if mishaps.strikes("cdn-cut", nth):
        found.append(partial(_cut, transport))
    if "cdn-slow" in mishaps:
        found.append(partial(_slow, mishaps.number("cdn-slow")))
    if "cdn-no-length" in mishaps:
        found.append(_without_length)
    return found


class _Spoiled(Response):
    """Another response whose way to the client is tampered with."""

    def __init__(self, whole: Response, spoilers: list[_Spoiler]) -> None:
        super().__init__()
        self._whole, self._spoilers = whole, spoilers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        for spoiler in self._spoilers:
            send = spoiler(send)
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
            await asyncio.Event().wait()  # ended by the response as soon as the client is gone

    return half


def _slow(seconds: float, send: Send) -> Send:
    """Send the body in small pieces, spread over `seconds`."""
    size = 1

    async def trickle(message: _Message) -> None:
        nonlocal size
        if message["type"] == "http.response.start":
            size = max(_length(message) // _PIECES, 1)
            await send(message)
            return
        body = message.get("body", b"")
        for at in range(0, len(body), size):
            piece = {"type": "http.response.body", "body": body[at : at + size], "more_body": True}
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
