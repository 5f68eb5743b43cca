"""Input files from clients: received, checked and stored for the jobs that refer to them."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.dispatch import json_response
from api.incoming_file import PART_SECONDS, IncomingFile
from api.models.upload import Upload, UploadQuery
from api.operation import Answer, Call, Operation, Rate
from api.problems import ProblemError
from api.request_body import media_type
from api.upload_inputs import inputs_for
from worker.api_keys.scopes import Scope
from worker.catalogue.catalogue import Catalogue
from worker.catalogue.errors import InputProblem
from worker.catalogue.inputs import Input
from worker.formats.media_types import BINARY, type_of_name
from worker.operations.local_file import (
    UnusableFile,
    head_of,
    name_of,
    opened,
    require_accepted,
)
from worker.operations.staged_files import LocalFile
from worker.operations.staging import Staging
from worker.storage.scratch import scratch

# Uploads at once in a process: each takes a thread, and the space of its file in TMPDIR.
MOST = 8
# Seconds until a place may be free.
_AFTER = 5.0


class Incoming(Protocol):
    """A file that is being received."""

    def write(self, path: Path) -> str:
        """Write the file; return its sha256, hexadecimal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploads:
    """The handler of uploads of at most `max_bytes`, whose parts may take `part_seconds`."""

    catalogue: Catalogue
    staging: Staging
    max_bytes: int
    part_seconds: float = PART_SECONDS
    _places: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(MOST)
    )

    async def create_upload(self, call: Call) -> Response:
        """Answer POST /v1/uploads."""
        query: UploadQuery = call.query
        if media_type(call.request) == "multipart/form-data":
            detail = "send the bytes of the file as the body, without a form around them"
            raise ProblemError("unsupported_media_type", detail)
        inputs = inputs_for(self.catalogue, query.endpoint, query.input)
        most = min(self.max_bytes, max(item.max_bytes for item in inputs.values()))
        incoming = IncomingFile(call.request, most=most, seconds=self.part_seconds)
        with self._place():
            upload = await run_in_threadpool(self.take, incoming, inputs)
        # Always: another answer for known bytes would tell what other tenants have uploaded.
        return json_response(upload, status=201)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            detail = f"{MOST} uploads are received at once, and so many are"
            raise ProblemError("too_many_uploads", detail, retry_after=_AFTER)
        try:
            yield
        finally:
            self._places.release()

    def take(self, incoming: Incoming, inputs: Mapping[str, Input]) -> Upload:
        """Receive and store the file. Raises ProblemError."""
        with scratch("upload") as directory:
            path = directory / "body"
            digest = incoming.write(path)
            item, name = _accepted(path, inputs, digest)
            file = LocalFile(path="body", value="", open=partial(opened, path, item))
            self.staging.keep(name, file)
            media = type_of_name(name) or BINARY
            return Upload(
                url=f"upload://{name}",
                bytes=path.stat().st_size,
                sha256=digest,
                media_type=media.name,
            )


def _accepted(path: Path, inputs: Mapping[str, Input], digest: str) -> tuple[Input, str]:
    """Return the first input that accepts the file, and the file's name. Raises ProblemError."""
    problems = []
    with path.open("rb") as file:
        for place, item in inputs.items():
            try:
                require_accepted(item, file)
                return item, name_of(digest, head_of(file))
            except UnusableFile as unusable:
                problems.append(InputProblem(path=place, value="", message=str(unusable)))
    detail = "; ".join(map(str, problems[:10]))
    raise ProblemError("unusable_file", detail, problems=problems)


def operations(uploads: Uploads) -> Sequence[Operation]:
    """Return the operation on uploads."""
    return (
        Operation(
            method="POST",
            path="/v1/uploads",
            name="createUpload",
            summary="Upload an input file",
            description="The body is the file; its type is known by its first bytes. The same file "
            "is stored once, so an upload can be repeated.",
            tag="files",
            handler=uploads.create_upload,
            scope=Scope.CREATE,
            rate=Rate.CREATE,
            query=UploadQuery,
            raw_bodies={"application/octet-stream": None},
            answers={201: Answer("The file is stored.", Upload)},
            problems=(
                *("bad_request", "too_slow", "too_large", "unsupported_media_type"),
                *("unusable_file", "rejected", "too_many_uploads"),
            ),
        ),
    )
