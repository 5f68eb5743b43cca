"""Uploads of input files: checked like those of the command line, and bounded."""

import errno
import hashlib
import socket
import sys
import tempfile
import threading
from collections.abc import Awaitable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import Response

from api.incoming_file import PART_BYTES, IncomingFile
from api.operation import Call, Operation
from api.routes.uploads import MOST, Uploads, operations
from tests.factories.input_files import MP4, PNG, named, png
from tests.factories.served_routes import ServedRoutes, served
from webhook.server.http_protocol import HttpLimits
from worker.api_keys.scopes import Scope
from worker.catalogue.catalogue import Catalogue
from worker.operations.staging import Staging
from worker.storage import Storage
from worker.storage.layout import REFRESHED_AFTER, storage_key

IMAGE_TO_VIDEO = "fal-ai/kling-video/v2.1/master/image-to-video"
ELEMENTS = "fal-ai/kling-video/v3/pro/image-to-video"
LIPSYNC = "fal-ai/kling-video/lipsync/audio-to-video"
LIMIT = 3 * PART_BYTES
LARGE = 200 * PART_BYTES
LIMITS = HttpLimits(request_bytes=2 * LARGE, body_seconds=600.0, answer_seconds=600.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A server of uploads, its storage, its temporary files, and when an upload has ended."""

    server: ServedRoutes
    storage: Storage
    temporary: Path
    ended: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def left(self) -> list[str]:
        """Return what is left in the directory of temporary files."""
        return sorted(path.name for path in self.temporary.iterdir())

    def stored(self) -> list[str]:
        """Return the keys of stored files."""
        return sorted(self.storage.list("uploads"))

    def begin(self, length: int, body: bytes, **headers: str) -> socket.socket:
        """Begin an upload on a connection of its own."""
        fields = {**self.server.headers(), "Content-Length": str(length), **headers, "Host": "x"}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        connection = socket.create_connection(("127.0.0.1", self.server.port), timeout=60)
        connection.sendall(f"POST /v1/uploads HTTP/1.1\r\n{head}\r\n".encode() + body)
        return connection


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path, redis_url: str) -> Iterator[Place]:
    """A server with a storage in a directory; a parameter changes the fields of `Uploads`."""
    with served_uploads(tmp_path, redis_url, **getattr(request, "param", {})) as place:
        yield place


class served_uploads:  # noqa: N801  # a context manager
    """Serve uploads until the block ends."""

    def __init__(self, directory: Path, redis_url: str, **fields: Any) -> None:
        self._stack = ExitStack()
        self._directory, self._redis_url, self._fields = directory, redis_url, fields

    def __enter__(self) -> Place:
        storage = Storage.open(str(self._directory / "store"))
        temporary = self._directory / "temporary"
        temporary.mkdir()
        patch = self._stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(tempfile, "tempdir", str(temporary))
        staging = Staging(storage=lambda: storage, directory=None)
        values = {"staging": staging, "max_bytes": LIMIT, **self._fields}
        (operation,) = operations(Uploads(catalogue=Catalogue.load(), **values))
        ended = threading.Semaphore(0)
        watched = (noting_the_end(operation, ended),)
        server = self._stack.enter_context(served(watched, self._redis_url, LIMITS))
        return Place(server=server, storage=storage, temporary=temporary, ended=ended)

    def __exit__(self, *error: object) -> None:
        self._stack.close()


def noting_the_end(operation: Operation, ended: threading.Semaphore) -> Operation:
    """Return the operation, whose handler releases `ended` when it has ended."""

    async def handler(call: Call) -> Response:
        try:
            answering = operation.handler(call)
            assert isinstance(answering, Awaitable)
            response: Response = await answering
            return response
        finally:
            ended.release()

    return replace(operation, handler=handler)


def upload(client: httpx.Client, content: Any, **query: str) -> httpx.Response:
    """Upload a file."""
    return client.post("/v1/uploads", content=content, params=query)


def test_a_file_is_stored_under_its_content(place: Place) -> None:
    """The answer is what a job refers to it by, and does not tell whether another has sent it."""
    client, data = place.server.client(), png(padding=9)
    for _ in range(2):
        answer = upload(client, data, endpoint=IMAGE_TO_VIDEO, input="image_url")
        assert 201 == answer.status_code
        assert answer.json() == {
            "url": f"upload://{named(data)}",
            "bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "media_type": "image/png",
        }
    assert data == place.storage.read(storage_key(named(data)))
    assert [] == place.left()


def test_an_old_file_is_written_again(place: Place, tmp_path: Path, redis_url: str) -> None:
    """A job that refers to it next may need it for as long as a new one."""
    upload(place.server.client(), PNG)
    first = place.storage.find(storage_key(named(PNG)))
    assert first is not None
    (tmp_path / "later").mkdir()
    later = first.modified + REFRESHED_AFTER + 1
    staging = Staging(storage=lambda: place.storage, directory=None, clock=lambda: later)
    with served_uploads(tmp_path / "later", redis_url, staging=staging) as second:
        assert 201 == upload(second.server.client(), PNG).status_code
    again = place.storage.find(storage_key(named(PNG)))
    assert again is not None
    assert again.modified > first.modified


@pytest.mark.parametrize(
    ("query", "content"),
    [
        ({}, b"any bytes at all"),
        ({"endpoint": LIPSYNC}, MP4),
        ({"endpoint": LIPSYNC}, b"ID3" + bytes(64)),
        ({"endpoint": ELEMENTS, "input": "elements[].frontal_image_url"}, PNG),
        ({"endpoint": ELEMENTS, "input": "elements[0].reference_image_urls[1]"}, PNG),
        ({"endpoint": ELEMENTS, "input": "elements.frontal_image_url"}, PNG),
    ],
)
def test_accepted_files(place: Place, query: dict[str, str], content: bytes) -> None:
    """Any file without an endpoint, and what one of its inputs or the named one accepts."""
    assert 201 == upload(place.server.client(), content, **query).status_code


@pytest.mark.parametrize(
    ("query", "content", "path", "words"),
    [
        ({"endpoint": IMAGE_TO_VIDEO, "input": "image_url"}, MP4, "image_url", "must be an image"),
        ({"endpoint": LIPSYNC}, PNG, "video_url", "must be a video (mp4, mov); it is image/png"),
        ({}, b"", "body", "is empty"),
        (
            {"endpoint": "fal-ai/kling-video/v3/turbo/pro/image-to-video", "input": "image_url"},
            PNG,
            "image_url",
            "it has 1x1 pixels",
        ),
    ],
)
def test_a_file_that_the_input_refuses(
    place: Place, query: dict[str, str], content: bytes, path: str, words: str
) -> None:
    """The problem names the input and the requirement, and nothing is stored."""
    answer = upload(place.server.client(), content, **query)
    assert (422, "unusable_file") == (answer.status_code, answer.json()["code"])
    problem = answer.json()["problems"][0]
    assert path == problem["path"]
    assert words in problem["message"]
    assert ([], []) == (place.stored(), place.left())


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        ({"input": "image_url"}, "invalid_request", "endpoint: is required with `input`"),
        ({"endpoint": IMAGE_TO_VIDEO, "input": "prompt"}, "invalid_request", "image_url"),
        ({"endpoint": f"{IMAGE_TO_VIDEO}x"}, "unknown_endpoint", f"did you mean {IMAGE_TO_VIDEO}"),
        ({"endpoint": "fal-ai/kling-video/v2.1/master/text-to-video"}, "invalid_request", "file"),
        ({"endpont": IMAGE_TO_VIDEO}, "invalid_request", "endpont"),
    ],
)
def test_an_unknown_purpose(place: Place, query: dict[str, str], code: str, words: str) -> None:
    """A mistyped endpoint or input is reported before the body is read."""
    answer = upload(place.server.client(), PNG, **query)
    assert (422, code) == (answer.status_code, answer.json()["code"])
    assert words in answer.json()["detail"]
    assert [] == place.stored()


def test_a_form_is_refused(place: Place) -> None:
    """A form around the file would be stored with it."""
    answer = place.server.client().post("/v1/uploads", files={"file": PNG})
    assert (415, "unsupported_media_type") == (answer.status_code, answer.json()["code"])


def test_a_key_must_be_allowed_to_create_jobs(place: Place) -> None:
    """To read is not enough."""
    answer = upload(place.server.client(scopes=frozenset({Scope.READ})), PNG)
    assert (403, "scope") == (answer.status_code, answer.json()["code"])


@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize("query", [{}, {"endpoint": LIPSYNC, "input": "audio_url"}])
def test_a_file_that_is_too_large(place: Place, length: bool, query: dict[str, str]) -> None:
    """The limit holds whether the length is said beforehand or not; so does that of the input."""
    limit = LIMIT if not query else 5 * 1024 * 1024
    data = b"ID3" + bytes(limit - 2)
    content = data if length else iter([data[:-5], data[-5:]])
    answer = upload(place.server.client(), content, **query)
    assert (413, "too_large") == (answer.status_code, answer.json()["code"])
    assert f"{min(limit, LIMIT):,} bytes" in answer.json()["detail"]
    assert ([], []) == (place.stored(), place.left())
    assert 201 == upload(place.server.client(), data[:LIMIT]).status_code


def test_a_client_that_goes_away_leaves_nothing(place: Place) -> None:
    """Half a body is no file, and its temporary file is removed."""
    connection = place.begin(PART_BYTES + 100, b"x" * (PART_BYTES + 50))
    connection.shutdown(socket.SHUT_WR)
    assert place.ended.acquire(timeout=60)
    connection.close()
    assert ([], []) == (place.stored(), place.left())


def test_more_bytes_than_were_said_are_not_the_files(place: Place) -> None:
    """The file ends where its length says."""
    with place.begin(len(PNG), PNG + b"GARBAGE\r\n\r\n") as connection:
        assert b"201 Created" in connection.recv(4096)
    assert [storage_key(named(PNG))] == place.stored()


@pytest.mark.parametrize("place", [{"part_seconds": 0.2}], indirect=True)
def test_a_slow_client_is_ended(place: Place) -> None:
    """A client that sends nothing for long enough gets an answer, and the connection closes."""
    with place.begin(1000, b"x") as connection:
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert b"408 Request Timeout" in answer
    assert b'"too_slow"' in answer
    assert ([], []) == (place.stored(), place.left())


def test_only_so_many_at_once(place: Place) -> None:
    """One upload too many is told when to come again; each place is free again afterwards.

    With Expect a client does not send its file in vain, and begins once it may.
    """
    with ExitStack() as open_connections:
        waiting = []
        for _ in range(MOST):
            connection = place.begin(len(PNG), b"", Expect="100-continue")
            waiting.append(open_connections.enter_context(connection))
            assert connection.recv(4096).startswith(b"HTTP/1.1 100 ")
        answer = upload(place.server.client(), PNG)
        assert (429, "too_many_uploads") == (answer.status_code, answer.json()["code"])
        assert int(answer.headers["retry-after"]) >= 5
        with place.begin(len(PNG), b"", Expect="100-continue") as refused:
            assert refused.recv(4096).startswith(b"HTTP/1.1 429 ")
        for connection in waiting:
            connection.sendall(PNG)
            assert b" OK" in connection.recv(4096) or place.stored()
    assert 201 == upload(place.server.client(), PNG).status_code


def test_a_full_disk_is_a_problem_that_passes(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client is told to come again, and nothing is stored."""

    def full(*_: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(IncomingFile, "write", full)
    answer = upload(place.server.client(), PNG)
    assert (503, "disk_full", "same_key") == (
        answer.status_code,
        answer.json()["code"],
        answer.json()["retry"],
    )
    assert "retry-after" in answer.headers
    assert ([], []) == (place.stored(), place.left())


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("place", [{"max_bytes": LARGE}], indirect=True)
def test_a_large_upload_needs_little_memory(place: Place) -> None:
    """200 MB raise the peak of the process by less than 20 MB, client and server together."""
    client, part = place.server.client(), bytes(PART_BYTES)
    upload(client, iter([part] * 8)).raise_for_status()
    # https://docs.kernel.org/filesystems/proc.html : 5 resets the peak.
    Path("/proc/self/clear_refs").write_text("5")
    before = peak()
    answer = upload(client, iter([b"x", *[part] * 199]))
    assert (201, 199 * PART_BYTES + 1) == (answer.status_code, answer.json()["bytes"])
    assert (peak() - before) / PART_BYTES < 20


def peak() -> int:
    """Return the largest resident memory of this process, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
