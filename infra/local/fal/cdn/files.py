"""The CDN, which serves published files, in full or in ranges, with their mishaps."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)

from infra.local.fal.cdn.file_faults import with_faults
from infra.local.fal.connection_faults import transport_of
from infra.local.fal.job import RenderJob
from infra.local.fal.request_counts import Counts, Kind

_ENDLESS = 4 * 2**30


@dataclass(slots=True, kw_only=True)
class _Published:
    job: RenderJob
    path: Path
    media_type: str
    reads: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The published files by address; `url` is their origin."""

    url: str
    counts: Counts
    _published: dict[str, _Published] = field(default_factory=dict)

    def publish(self, job: RenderJob, path: Path, *, name: str, media_type: str) -> str:
        """Publish the file at `path` under a new, unguessable address; return the address."""
        key = f"b/{secrets.token_hex(4)}/{secrets.token_urlsafe(12)}_{name}"
        self._published[key] = _Published(job=job, path=path, media_type=media_type)
        if "file-foreign-host" in job.mishaps:
            return f"https://{job.mishaps.text('file-foreign-host')}/files/{key}"
        return f"{self.url}/files/{key}"

    async def serve(self, request: Request) -> Response:
        """Answer a request for a file, and count it."""
        key = request.path_params["key"]
        moved = key.startswith("moved/")
        file = self._published.get(key.removeprefix("moved/"))
        self.counts.record(Kind.CDN, request_id=file.job.request_id if file else "")
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
            if mishaps.applies(name, file.reads):
                return PlainTextResponse(text, int(name[-3:]))
        return None


def _response(file: _Published, transport: asyncio.Transport) -> Response:
    mishaps = file.job.mishaps
    kind = mishaps.requested.get("file-hostile")
    if kind == "endless":
        return StreamingResponse(_endless(file.path), media_type=file.media_type)
    headers = {"content-encoding": "gzip"} if kind == "gzip" else None
    whole = FileResponse(file.path, media_type=file.media_type, headers=headers)
    return with_faults(whole, mishaps, nth=file.reads, transport=transport)


async def _endless(path: Path) -> AsyncIterator[bytes]:
    data = await asyncio.to_thread(path.read_bytes)
    for _ in range(_ENDLESS // len(data)):
        yield data
