"""What a CDN may answer: a download ends with a whole object or with a failure that it declares.

`FALHOOK_FUZZ_EXAMPLES=1000000 python -m pytest tests/fuzz/test_download.py --timeout 0` runs for as
long, over real TLS.
"""

import hashlib
import socket
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from struct import pack
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.factories.cdn import CdnRequest, FakeCdn, clip, running_cdn
from tests.fuzz.test_receiver import EXAMPLES
from worker.errors import Failure, Permanent, Transient
from worker.fal.download import (
    AllowedHosts,
    Downloaded,
    Downloader,
    DownloadLimits,
    Expected,
    http_client,
)
from worker.fal.result import files_of
from worker.steps.stored_files import FileStore
from worker.storage import Storage

RUN = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
CONNECTED = settings(RUN, max_examples=max(1, EXAMPLES // 3))  # an example takes many milliseconds
TRIES, SLOW = 4, 20.0  # connections, and seconds for one fetch that never pauses
DECLARED = {
    *((Permanent, f"download_{name}") for name in ("refused", "gone", "too_large", "not_media")),
    *((Transient, f"download_{name}") for name in ("unavailable", "cut", "slow")),
}
NUMBERS = st.sampled_from([b"", b"-1", b"0", b"1", b"*", b"1e3", b"0x10", b"9" * 30, b"9" * 5000])
NAMES = st.sampled_from(
    [
        *(b"Content-Length", b"Content-Range", b"Content-Encoding", b"Content-Type", b"ETag"),
        *(b"Transfer-Encoding", b"Location", b"Retry-After", b"Content-Disposition", b"Set-Cookie"),
        *(b"Connection", b"Trailer", b"Upgrade", b"Accept-Ranges"),
    ]
)
VALUES = (
    st.binary(max_size=40).map(lambda value: bytes(byte for byte in value if byte not in b"\r\n"))
    | NUMBERS
    | st.sampled_from(
        [
            *(b"gzip", b"br, identity", b"identity", b"chunked", b"gzip, chunked", b"close"),
            *(b"https://localhost/x", b"http://[", b'attachment; filename="../../x.mp4"'),
            *(b"attachment; filename*=UTF-8''%ff%00", b"video/mp4; charset=\xff", b"text/html"),
            *(b'"one"', b'W/"one"', b"Wed, 21 Oct 9999 07:28:00 GMT", b"bytes 0-4/5", b"h2c"),
        ]
    )
)
HARMLESS = [
    (b"Content-Type", b"text/html; charset=\xff"),
    (b"Content-Encoding", b"identity"),
    (b"Content-Disposition", b'attachment; filename="../../x"'),
    (b"Set-Cookie", b"a=b; Domain=.fal.media"),
    (b"Age", b"9" * 5000),
    (b"X-Cache", b"\xff\xfe"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """How the CDN answers one request, whichever object it has by then.

    `truthful`: what it says of its body is true, or is contradicted by how the connection ends, so
    that a client can know whether it has a whole object.
    """

    version: int = 0
    status: int | None = None
    etag: str | None = "strong"
    framing: str = "length"
    ignores: str = ""
    shift: tuple[int, int, int] = (0, 0, 0)
    cut: float | None = None
    ending: str = "clean"
    before: tuple[bytes, ...] = ()
    headers: tuple[tuple[bytes, bytes], ...] = ()
    edits: tuple[tuple[int, bytes], ...] = ()

    @property
    def truthful(self) -> bool:
        """Whether the whole object can be told from the answer."""
        names = {name for name, _ in self.headers}
        told = {b"Content-Length", b"Content-Range", b"Transfer-Encoding", b"ETag"}
        return not self.edits and not names & told

    @property
    def flawless(self) -> bool:
        """Whether it is the answer of a good CDN."""
        # A reset discards what the client has not read yet.
        kept = self.ending == "clean" or (self.ending == "ragged" and self.framing != "close")
        harmless = self.truthful and set(self.headers) <= set(HARMLESS)
        return harmless and kept and (self.status, self.cut) == (None, None)

    def __call__(self, request: CdnRequest, bodies: tuple[bytes, bytes]) -> None:
        body = bodies[self.version]
        first = self._first(request, len(body))
        status = self.status or (200 if first is None else 206 if first < len(body) else 416)
        part = body[first or 0 :]
        headers = [*self._framing(len(part)), *self.headers]
        if first is not None:
            span = [first, len(body) - 1, len(body)]
            told = [number + by for number, by in zip(span, self.shift, strict=True)]
            headers.append((b"Content-Range", b"bytes %d-%d/%d" % tuple(told)))
        if etag := self._etag():
            headers.append((b"ETag", etag))
        head = b"".join(self.before) + b"HTTP/1.1 %d Words\r\n" % status
        head += b"".join(b"%s: %s\r\n" % header for header in headers) + b"\r\n"
        for at, piece in self.edits:
            spot = at % len(head)
            head = head[:spot] + piece + head[spot + 1 :]
        with suppress(OSError):
            request.send(head)
            request.send(self._sent(part))
        self._end(request)

    def _etag(self) -> bytes | None:
        return (
            {"strong": b'"v%d"', "weak": b'W/"v%d"'}[self.etag] % self.version
            if self.etag
            else None
        )

    def _first(self, request: CdnRequest, size: int) -> int | None:
        """Return the offset that this request asks for, as RFC 9110 reads it; None for all."""
        wanted = request.headers.get("Range")
        if wanted is None or self.ignores == "Range":
            return None
        same = request.headers.get("If-Range", "").encode() == (self._etag() or b"-")
        if not same and self.ignores != "If-Range":
            return None
        return int(wanted.removeprefix("bytes=").rstrip("-"))

    def _framing(self, size: int) -> list[tuple[bytes, bytes]]:
        match self.framing:
            case "length":
                return [(b"Content-Length", b"%d" % size)]
            case "chunked":
                return [(b"Transfer-Encoding", b"chunked")]
        return [(b"Connection", b"close")]

    def _sent(self, part: bytes) -> bytes:
        if self.framing == "chunked":
            half = len(part) // 2
            pieces = [piece for piece in (part[:half], part[half:]) if piece]
            part = b"".join(b"%x;a=b\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
            part += b"0\r\n\r\n"
        return part if self.cut is None else part[: int(self.cut * max(0, len(part) - 1))]

    def _end(self, request: CdnRequest) -> None:
        connection = request.handler.request
        ending = self.ending
        if self.framing == "close" and self.cut is not None and ending == "clean":
            ending = "ragged"  # a body without a length that ends cleanly is whole by definition
        with suppress(OSError):
            if ending == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, pack("ii", 1, 0))
                connection.close()
            elif ending == "ragged":
                connection.shutdown(socket.SHUT_RDWR)


HONEST = Reply()
CUTS = st.none() | st.floats(0, 1)
ENDINGS = st.sampled_from(["clean", "ragged", "reset"])
CONFUSED = st.builds(
    Reply,
    version=st.integers(0, 1),
    status=st.none() | st.none() | st.integers(100, 599),
    etag=st.sampled_from(["strong", "strong", "weak", None]),
    framing=st.sampled_from(["length", "chunked", "close"]),
    ignores=st.sampled_from(["", "", "Range", "If-Range"]),
    shift=st.just((0, 0, 0)) | st.tuples(*[st.integers(-2, 2)] * 3),
    cut=CUTS,
    ending=ENDINGS,
    before=st.lists(
        st.sampled_from(
            [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n"]
        ),
        max_size=2,
    ).map(tuple),
    headers=st.lists(st.sampled_from(HARMLESS), max_size=2).map(tuple),
)
CORRUPT = st.builds(
    Reply,
    version=st.integers(0, 1),
    framing=st.sampled_from(["length", "chunked", "close"]),
    cut=CUTS,
    ending=ENDINGS,
    headers=st.lists(st.tuples(NAMES, VALUES), max_size=3).map(tuple),
    edits=st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=3)), max_size=4).map(tuple),
)
REPLIES = st.lists(st.just(HONEST) | CONFUSED | CONFUSED | CORRUPT, max_size=TRIES)
SIZES = st.sampled_from([0, 1, 11, 12, 500, 3000, 70_000])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FakeCdn, httpx.Client]]:
    """One CDN and one client that trusts it."""
    directory = tmp_path_factory.mktemp("cdn")
    with running_cdn(directory) as cdn, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(directory / "ca.pem"))
        with http_client() as client:
            yield cdn, client


def outcome(
    served: tuple[FakeCdn, httpx.Client],
    replies: list[Reply],
    bodies: tuple[bytes, bytes],
    expect: Expected | None,
    max_bytes: int,
) -> tuple[Downloaded | Failure, bytes]:
    """Return how the fetch ended, and what its writer had whole by then."""
    cdn, client = served
    cdn.requests.clear()
    cdn.script.clear()
    cdn.answers(*(_bound(reply, bodies) for reply in [*replies, *[HONEST] * TRIES]))
    limits = DownloadLimits(max_bytes=max_bytes, tries=TRIES, sleep=lambda _: None)
    downloader = Downloader(hosts=AllowedHosts.parse("localhost"), client=client, limits=limits)
    whole = b""

    def write(chunks: Iterator[bytes]) -> None:
        nonlocal whole
        got = bytearray()
        for chunk in chunks:
            got += chunk
            assert len(got) <= max_bytes
        whole = bytes(got)

    try:
        return downloader.fetch(cdn.url(), write, expect=expect), whole
    except (Permanent, Transient) as failure:
        return failure, whole


def _bound(reply: Reply, bodies: tuple[bytes, bytes]) -> Callable[[CdnRequest], None]:
    return lambda request: reply(request, bodies)


@CONNECTED
@given(
    replies=REPLIES,
    size=SIZES,
    expect=st.sampled_from([None, "media", "file"]),
    room=st.sampled_from([-1, 0, 1, 1_000_000]),
)
@example(replies=[], size=3000, expect="media", room=0)
@example(replies=[Reply(framing="close")], size=3000, expect=None, room=0)
@example(replies=[Reply(framing="close", cut=0.5)], size=3000, expect="media", room=0)
@example(
    replies=[Reply(cut=0.5), Reply(version=1, etag=None, ignores="If-Range")],
    size=3000,
    expect=None,
    room=0,
)
def test_any_answers_end_in_a_whole_object_or_a_declared_failure(
    served: tuple[FakeCdn, httpx.Client],
    replies: list[Reply],
    size: int,
    expect: Expected | None,
    room: int,
) -> None:
    """Nothing else is raised; never is a part, or a mix of two objects, taken for the whole."""
    bodies = clip(size), clip(size, seed=2)
    began, limit = time.monotonic(), max(0, size + room)
    ended, whole = outcome(served, replies, bodies, expect, limit)
    assert time.monotonic() - began < SLOW
    assert len(served[0].requests) <= TRIES
    if isinstance(ended, Failure):
        assert (type(ended), ended.reason) in DECLARED
        first = next(iter(replies), HONEST)
        # A starved machine may take a good answer for a slow one, never for a bad one.
        refused = isinstance(ended, Permanent)
        assert not (refused and first.flawless) or room < 0 or size < 12
        return
    assert (len(whole), hashlib.sha256(whole).hexdigest()) == (ended.size, ended.sha256)
    assert ended.size <= limit
    if all(reply.truthful for reply in replies):
        assert whole in bodies


@dataclass(frozen=True, slots=True)
class DataUri:
    """A data URI in one of the spellings of programs, and the bytes in it."""

    text: str
    data: bytes


@st.composite
def data_uris(draw: st.DrawFn) -> DataUri:
    """Draw bytes, and a spelling of the URI that has them."""
    data = draw(st.binary(max_size=60))
    kind = draw(st.sampled_from(["", "video/mp4", "image/png;charset=utf-8", "a/b;name=%2e%2e"]))
    scheme = draw(st.sampled_from(["data:", "DATA:", " data:"]))
    if draw(st.booleans()):
        return DataUri(f"{scheme}{kind},{quote(data, safe='')}", data)
    text = b64encode(data).decode()
    match draw(st.sampled_from(["plain", "lines", "quoted", "unpadded"])):
        case "lines":
            text = "\r\n".join(text[at : at + 8] for at in range(0, len(text), 8))
        case "quoted":
            text = quote(text, safe="")
        case "unpadded":
            text = text.rstrip("=")
    mark = draw(st.sampled_from([";base64", ";BASE64", "; base64", ";base64 "]))
    return DataUri(f"{scheme}{kind}{mark},{text}", data)


CLIENT = httpx.Client()  # for downloaders that send nothing


def kept(uri: str) -> bytes | Permanent:
    """Return what is stored of a result that holds this data URI."""
    storage = Storage.open("memory://")
    downloader = Downloader(
        hosts=AllowedHosts.parse("localhost"), client=CLIENT, limits=DownloadLimits(max_bytes=9)
    )
    (file,) = files_of({"image": {"url": uri, "file_name": "../../x", "content_type": "\0"}})
    store = FileStore(downloader=downloader, storage=storage)
    try:
        done = store.keep(file, "image-1.png", set(), key=str, progress=lambda *_: None)
    except Permanent as failure:
        return failure
    stored = storage.read(done.name)
    assert stored is not None
    assert done.record["sha256"] == hashlib.sha256(stored).hexdigest()
    return stored


@RUN
@given(uri=data_uris())
def test_any_spelling_of_a_data_uri_is_read(uri: DataUri) -> None:
    """The bytes in it are stored, whichever program wrote it."""
    assert uri.data == kept(uri.text)


@RUN
@given(text=st.text(max_size=60))
def test_any_text_after_data_is_stored_or_refused(text: str) -> None:
    """A data URI is stored, or refused for its base64."""
    stored = kept(f"data:{text}")
    assert isinstance(stored, bytes) or stored.reason == "bad_data_uri"
