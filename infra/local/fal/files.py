"""The CDN: serves published files, whole or in ranges, or as badly as their mishaps ask for."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, MutableMapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.types import Receive, Scope, Send

from infra.local.fal.connection import transport_of
from infra.local.fal.counts import Counts, Kind
from infra.local.fal.job import Job
from infra.local.fal.mishaps import Mishaps

_ENDLESS = 4 * 2**30
_PIECES = 50
_Message = MutableMapping[str, Any]


@dataclass(slots=True, kw_only=True)
class _Published:
    job: Job
    path: Path
    media_type: str
    reads: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Published files by address; `url` is the origin they are served from."""

    url: str
    counts: Counts
    _published: dict[str, _Published] = field(default_factory=dict)

    def publish(self, job: Job, path: Path, *, name: str, media_type: str) -> str:
        """Give the file at `path` an address of its own that nobody can guess; return it."""
        key = f"b/{secrets.token_hex(4)}/{secrets.token_urlsafe(12)}_{name}"
        self._published[key] = _Published(job=job, path=path, media_type=media_type)
        if "file-foreign-host" in job.mishaps:
            return f"https://{job.mishaps.text('file-foreign-host')}/files/{key}"
        return f"{self.url}/files/{key}"

    async def serve(self, request: Request) -> Response:
        """Answer a request for a file; every one is counted."""
        key = request.path_params["key"]
        moved = key.startswith("moved/")
        file = self._published.get(key.removeprefix("moved/"))
        self.counts.note(Kind.CDN, request_id=file.job.request_id if file else "")
        if file is None:
            return PlainTextResponse("Not found", 404)
        file.reads += 1
        refusal = None if moved else self._refusal(file, key)
        return refusal or _response(file, transport_of(request.scope))

    def _refusal(self, file: _Published, key: str) -> Response | None:
        mishaps = file.job.mishaps
        if "cdn-redirect" in mishaps:
            target = mishaps.text("cdn-redirect") or f"{self.url}/files/moved/{key}"
            return RedirectResponse(target, 302)
        if "cdn-html" in mishaps:
            return HTMLResponse("<!doctype html><title>Just a moment...</title>")
        for name, text in (("cdn-403", "Forbidden"), ("cdn-404", "Not found"), ("cdn-500", "Oops")):
            if mishaps.strikes(name, file.reads):
                return PlainTextResponse(text, int(name[-3:]))
        return None


def _response(file: _Published, transport: asyncio.Transport) -> Response:
    mishaps = file.job.mishaps
    kind = mishaps.asked.get("file-hostile")
    if kind == "endless":
        return StreamingResponse(_endless(file.path), media_type=file.media_type)
    headers = {"content-encoding": "gzip"} if kind == "gzip" else None
    whole = FileResponse(file.path, media_type=file.media_type, headers=headers)
    spoilers = _spoilers(mishaps, file.reads, transport)
    return _Spoiled(whole, spoilers) if spoilers else whole


async def _endless(path: Path) -> AsyncIterator[bytes]:
    data = await asyncio.to_thread(path.read_bytes)
    for _ in range(_ENDLESS // len(data)):
        yield data


_Spoiler = Callable[[Send], Send]


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
