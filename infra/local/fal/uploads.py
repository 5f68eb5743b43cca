"""Uploads of inputs: tokens for the CDN, files in one piece or in parts, and the older bucket.

The routes are those that fal-client 1.0.3 uses (`fal_client/client.py`).
"""

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

_TOKEN_LIFE = timedelta(minutes=10)
_OK = 200


@dataclass(slots=True, kw_only=True)
class _Upload:
    name: str
    content_type: str
    lifecycle: str
    way: str
    data: bytes = b""
    parts: dict[int, bytes] = field(default_factory=dict)

    def described(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "content_type": self.content_type,
            "lifecycle": self.lifecycle,
            "way": self.way,
            "bytes": len(self.data),
            "sha256": hashlib.sha256(self.data).hexdigest(),
        }


class Uploads:
    """Uploaded files by key; `url` is the origin, `key` the account's. `status` spoils answers."""

    def __init__(self, *, url: str, key: str) -> None:
        self.url, self._key = url, key
        self._token = secrets.token_urlsafe(16)
        self.clear()

    def clear(self) -> None:
        """Forget every file, and answer as fal should again."""
        self._files: dict[str, _Upload] = {}
        self.status: dict[str, int] = {}

    def described(self) -> dict[str, Any]:
        """Every finished upload by its address."""
        finished = ((key, file) for key, file in self._files.items() if file.data)
        return {self._address(key): file.described() for key, file in finished}

    def refusal(self, request: Request, way: str) -> Response | None:
        """The answer to whoever may not upload, or while this way of uploading is spoilt."""
        if (status := self.status.get(way, _OK)) != _OK:
            return JSONResponse({"detail": "Uploads are not available"}, status)
        scheme = "Key" if way in {"token", "bucket"} else "Bearer"
        secret = self._key if scheme == "Key" else self._token
        given = request.headers.get("authorization", "").encode()
        if hmac.compare_digest(given, f"{scheme} {secret}".encode()):
            return None
        return JSONResponse({"detail": "Invalid credentials"}, 401)

    def token(self) -> dict[str, str]:
        """A token for the CDN, which is this server."""
        expires = datetime.now(UTC) + _TOKEN_LIFE
        return {
            "token": self._token,
            "token_type": "Bearer",
            "base_url": self.url,
            "expires_at": expires.isoformat(),
        }

    def begin(self, way: str, *, name: str, content_type: str, lifecycle: str) -> str:
        """A key for a file whose bytes are still to come."""
        key = f"{secrets.token_hex(8)}_{name or 'upload.bin'}"
        self._files[key] = _Upload(
            name=name, content_type=content_type, lifecycle=lifecycle, way=way
        )
        return key

    def file(self, key: str) -> _Upload | None:
        """The file of that key, finished or not."""
        return self._files.get(key)

    def _address(self, key: str) -> str:
        return f"{self.url}/files/u/{key}"

    def address(self, key: str) -> str:
        """Where the file is served."""
        return self._address(key)


def _uploads(request: Request) -> Uploads:
    uploads: Uploads = request.app.state.simulation.uploads
    return uploads


_Answer = Callable[[Request, Uploads], Awaitable[Response]]


def _guarded(way: str, answer: _Answer) -> Callable[[Request], Awaitable[Response]]:
    async def route(request: Request) -> Response:
        uploads = _uploads(request)
        return uploads.refusal(request, way) or await answer(request, uploads)

    return route


def _begin(request: Request, uploads: Uploads, way: str) -> str:
    headers = request.headers
    return uploads.begin(
        way,
        name=headers.get("x-fal-file-name", ""),
        content_type=headers.get("content-type", ""),
        lifecycle=headers.get("x-fal-object-lifecycle", ""),
    )


async def _token(_request: Request, uploads: Uploads) -> Response:
    return JSONResponse(uploads.token())


async def _whole(request: Request, uploads: Uploads) -> Response:
    data = await request.body()
    key = _begin(request, uploads, "cdn")
    if file := uploads.file(key):
        file.data = data
    return JSONResponse({"access_url": uploads.address(key)})


async def _multipart(request: Request, uploads: Uploads) -> Response:
    key = _begin(request, uploads, "multipart")
    return JSONResponse({"access_url": uploads.address(key), "uploadId": secrets.token_hex(8)})


async def _part(request: Request, uploads: Uploads) -> Response:
    file = uploads.file(request.path_params["key"])
    if file is None:
        return JSONResponse({"detail": "Not found"}, 404)
    data = await request.body()
    file.parts[request.path_params["number"]] = data
    return Response(headers={"etag": f'"{hashlib.sha256(data).hexdigest()[:32]}"'})


async def _complete(request: Request, uploads: Uploads) -> Response:
    file = uploads.file(request.path_params["key"])
    named = [part["partNumber"] for part in (await request.json())["parts"]]
    if file is None or sorted(named) != sorted(file.parts):
        return JSONResponse({"detail": "These are not the parts of this upload"}, 400)
    file.data = b"".join(file.parts[number] for number in sorted(file.parts))
    return JSONResponse({})


async def _bucket(request: Request, uploads: Uploads) -> Response:
    asked = await request.json()
    key = uploads.begin(
        "bucket",
        name=asked["file_name"],
        content_type=asked["content_type"],
        lifecycle=request.headers.get("x-fal-object-lifecycle-preference", ""),
    )
    address = uploads.address(key)
    return JSONResponse({"upload_url": address, "file_url": address})


async def _put(request: Request) -> Response:
    file = _uploads(request).file(request.path_params["key"])
    if file is None or file.way != "bucket":
        return JSONResponse({"detail": "Not found"}, 404)
    file.data = await request.body()
    return Response()


async def _get(request: Request) -> Response:
    file = _uploads(request).file(request.path_params["key"])
    if file is None or not file.data:
        return PlainTextResponse("Not found", 404)
    return Response(file.data, media_type=file.content_type)


async def uploaded(request: Request) -> Response:
    """Every uploaded input by its address: name, type, bytes, SHA-256, lifecycle, way."""
    return JSONResponse(_uploads(request).described())


async def spoil(request: Request) -> Response:
    """Answer uploads by ?way=token|cdn|multipart|bucket with ?status=CODE from now on."""
    query = request.query_params
    _uploads(request).status[query.get("way", "cdn")] = int(query.get("status", "200"))
    return JSONResponse({})


ROUTES = [
    Route("/storage/auth/token", _guarded("token", _token), methods=["POST"]),
    Route("/storage/upload/initiate", _guarded("bucket", _bucket), methods=["POST"]),
    Route("/files/upload", _guarded("cdn", _whole), methods=["POST"]),
    Route("/files/upload/multipart", _guarded("multipart", _multipart), methods=["POST"]),
    Route(
        "/files/u/{key}/multipart/{upload}/complete",
        _guarded("multipart", _complete),
        methods=["POST"],
    ),
    Route(
        "/files/u/{key}/multipart/{upload}/{number:int}",
        _guarded("multipart", _part),
        methods=["PUT"],
    ),
    Route("/files/u/{key}", _put, methods=["PUT"]),
    Route("/files/u/{key}", _get, methods=["GET"]),
]
