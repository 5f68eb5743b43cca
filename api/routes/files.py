"""The published files of a job: bytes from a directory, or an address at a remote storage."""

import os
import re
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response, StreamingResponse

from api.conditional import REVALIDATED, is_known
from api.job_finder import JobFinder
from api.models.file_query import FileQuery
from api.operation import Answer, Call, Operation
from api.problems import ProblemError
from api.published_names import PublishedNames
from worker.api_keys.scopes import Scope
from worker.formats.media_types import BINARY, CONTENT_TYPES, type_of_name
from worker.retention.archive import FILE as HISTORY
from worker.storage import Storage
from worker.storage.layout import published_key

# Seconds for which a signed address works.
SIGNED_FOR = 900.0
# A model's file is data: a browser must not run it as a page of ours, nor load more for it.
SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
}
_TYPES = {**CONTENT_TYPES, ".json": "application/json", ".jsonl": "application/jsonl"}
# They name other files relative to their own address, which must therefore be ours.
_WITH_LINKS = frozenset({".m3u8", ".vtt"})
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The handler of published files; `storage` opens the storage when it is first needed."""

    finder: JobFinder
    published: PublishedNames
    storage: Callable[[], Storage]

    async def get_file(self, call: Call) -> Response:
        """Answer GET and HEAD /v1/jobs/{id}/files/{name}."""
        return await run_in_threadpool(self._answer, call)

    def _answer(self, call: Call) -> Response:
        query: FileQuery = call.query
        name: str = call.request.path_params["name"]
        job = self.finder.find(call.request.path_params["id"], call.tenant)
        is_published = self.published.has(job, name)
        if not is_published and name != HISTORY:
            raise _unknown()
        storage, key = self.storage(), published_key(job.id, name)
        headers = {**SAFE, **({"Content-Disposition": _attachment(name)} if query.download else {})}
        path = storage.local_path(key)
        response = (
            _remote(storage, key, headers, call.request, through=query.download)
            if path is None
            else _local(path, headers, call.request)
        )
        if response is None:
            raise _missing() if is_published else _unknown()
        return response


def _local(path: Path, headers: Mapping[str, str], request: Request) -> Response | None:
    """Return the file, or the part that was requested; None if it does not exist."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    response = FileResponse(
        path,
        headers={**headers, "Cache-Control": REVALIDATED},
        media_type=_media_type(path.name),
        stat_result=status,
    )
    if is_known(response.headers["etag"], request.headers):
        kept = {name: response.headers[name] for name in ("etag", "cache-control")}
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=kept)
    _check_range(request, response, status)
    return response


def _check_range(request: Request, response: FileResponse, status: os.stat_result) -> None:
    """Raise ProblemError for a range that the file has not; ignore what is no single range.

    A server may ignore any range: https://www.rfc-editor.org/rfc/rfc9110#section-14.2
    """
    asked = request.headers.get("range")
    if asked is None:
        return
    match = _RANGE.fullmatch(asked)
    first, last = match.groups() if match else ("", "")
    if not (first or last) or (first and last and int(last) < int(first)):
        fields = request.scope["headers"]
        request.scope["headers"] = [(name, value) for name, value in fields if name != b"range"]
        return
    tag = request.headers.get("if-range")
    if tag not in {None, response.headers["etag"], response.headers["last-modified"]}:
        return
    size = status.st_size
    if size == 0 or (int(first) >= size if first else int(last) == 0):
        detail = f"the file has {size:,} bytes"
        raise ProblemError("bad_range", detail, headers={"Content-Range": f"bytes */{size}"})


def _remote(
    storage: Storage, key: str, headers: Mapping[str, str], request: Request, *, through: bool
) -> Response | None:
    """Return an address of the object, or its bytes; None if there is no object."""
    found = storage.find(key)
    if found is None:
        return None
    if not through and Path(key).suffix not in _WITH_LINKS and request.method != "HEAD":
        url = storage.signed_url(key, seconds=SIGNED_FOR)
        return RedirectResponse(url, HTTPStatus.FOUND, {"Cache-Control": "no-store"})
    sized = {**headers, "Content-Length": str(found.size)}
    # A signed address is for GET alone.
    if request.method == "HEAD":
        return Response(headers=sized, media_type=_media_type(key))
    return StreamingResponse(storage.chunks(key), headers=sized, media_type=_media_type(key))


def _media_type(name: str) -> str:
    known = type_of_name(name)
    return _TYPES.get(Path(name).suffix) or (known.name if known else BINARY.name)


def _attachment(name: str) -> str:
    return f"attachment; filename*=utf-8''{quote(Path(name).name)}"


def _unknown() -> ProblemError:
    return ProblemError(
        "not_found",
        "the job has not published this file; its `files` and its manifest list those there are",
    )


def _missing() -> ProblemError:
    return ProblemError("file_missing", "the job has published the file, but storage lacks it now")


def operations(files: Files) -> Sequence[Operation]:
    """Return the operation on published files."""
    etag = {"ETag": "Names this content: send it as If-None-Match or If-Range."}
    content = Answer("The file.", media_type="*/*", headers={**etag, "Accept-Ranges": "`bytes`"})
    part = {**etag, "Content-Range": "Which bytes these are, and of how many."}
    address = {"Location": f"The file at its storage, for {SIGNED_FOR / 60:g} minutes."}
    return (
        Operation(
            method="GET",
            path="/v1/jobs/{id}/files/{name:path}",
            name="getFile",
            summary="Fetch a published file",
            description="From a directory the bytes are sent, or a part of them for `Range`. A "
            "remote storage sends them itself: follow the redirect without your key. Playlists "
            "and subtitles, which name other files, and downloads always come through this API.",
            tag="files",
            handler=files.get_file,
            scope=Scope.READ,
            query=FileQuery,
            headers={
                "Range": "Bytes that are wanted: `bytes=0-1023`.",
                "If-Range": "Send the range only if this is still the ETag.",
                "If-None-Match": "The ETag of an earlier answer.",
            },
            answers={
                200: content,
                206: Answer("A part of the file.", media_type="*/*", headers=part),
                302: Answer("The file is elsewhere.", media_type="", headers=address),
                304: Answer("It has not changed.", media_type=""),
            },
            problems=("not_found", "file_missing", "bad_range"),
        ),
    )
