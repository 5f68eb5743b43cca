"""The routes of uploads: to the CDN in one piece or in parts, and to the older bucket.

fal-client 1.0.3 uses these (`fal_client/client.py`).
"""

import hashlib
import secrets
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from infra.local.fal.cdn.uploads import UploadStore
from infra.local.fal.simulator import simulation_of


def _uploads(request: Request) -> UploadStore:
    return simulation_of(request).uploads


_Handler = Callable[[Request, UploadStore], Awaitable[Response]]


def _authorised(way: str, handler: _Handler) -> Callable[[Request], Awaitable[Response]]:
    async def route(request: Request) -> Response:
        uploads = _uploads(request)
        return uploads.refusal(request, way) or await handler(request, uploads)

    return route


def _begin(request: Request, uploads: UploadStore, way: str) -> str:
    headers = request.headers
    return uploads.begin(
        way,
        name=headers.get("x-fal-file-name", ""),
        content_type=headers.get("content-type", ""),
        lifecycle=headers.get("x-fal-object-lifecycle", ""),
    )


async def _token(_request: Request, uploads: UploadStore) -> Response:
    return JSONResponse(uploads.token())


async def _single(request: Request, uploads: UploadStore) -> Response:
    data = await request.body()
    key = _begin(request, uploads, "cdn")
    if file := uploads.file(key):
        file.data = data
    return JSONResponse({"access_url": uploads.address(key)})


async def _multipart(request: Request, uploads: UploadStore) -> Response:
    key = _begin(request, uploads, "multipart")
    return JSONResponse({"access_url": uploads.address(key), "uploadId": secrets.token_hex(8)})


async def _part(request: Request, uploads: UploadStore) -> Response:
    file = uploads.file(request.path_params["key"])
    if file is None:
        return JSONResponse({"detail": "Not found"}, 404)
    data = await request.body()
    file.parts[request.path_params["number"]] = data
    return Response(headers={"etag": f'"{hashlib.sha256(data).hexdigest()[:32]}"'})


async def _complete(request: Request, uploads: UploadStore) -> Response:
    file = uploads.file(request.path_params["key"])
    numbers = [part["partNumber"] for part in (await request.json())["parts"]]
    if file is None or sorted(numbers) != sorted(file.parts):
        return JSONResponse({"detail": "These are not the parts of this upload"}, 400)
    file.data = b"".join(file.parts[number] for number in sorted(file.parts))
    return JSONResponse({})


async def _bucket(request: Request, uploads: UploadStore) -> Response:
    parameters = await request.json()
    key = uploads.begin(
        "bucket",
        name=parameters["file_name"],
        content_type=parameters["content_type"],
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


async def list_uploads(request: Request) -> Response:
    """Return all uploaded inputs by address: name, type, bytes, SHA-256, lifecycle, way."""
    return JSONResponse(_uploads(request).summaries())


async def set_upload_status(request: Request) -> Response:
    """Answer uploads by ?way=token|cdn|multipart|bucket with ?status=CODE from now on."""
    query = request.query_params
    _uploads(request).status[query.get("way", "cdn")] = int(query.get("status", "200"))
    return JSONResponse({})


ROUTES = [
    Route("/storage/auth/token", _authorised("token", _token), methods=["POST"]),
    Route("/storage/upload/initiate", _authorised("bucket", _bucket), methods=["POST"]),
    Route("/files/upload", _authorised("cdn", _single), methods=["POST"]),
    Route("/files/upload/multipart", _authorised("multipart", _multipart), methods=["POST"]),
    Route(
        "/files/u/{key}/multipart/{upload}/complete",
        _authorised("multipart", _complete),
        methods=["POST"],
    ),
    Route(
        "/files/u/{key}/multipart/{upload}/{number:int}",
        _authorised("multipart", _part),
        methods=["PUT"],
    ),
    Route("/files/u/{key}", _put, methods=["PUT"]),
    Route("/files/u/{key}", _get, methods=["GET"]),
]
