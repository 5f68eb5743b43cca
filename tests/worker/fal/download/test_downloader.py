"""Downloads over real TLS from a CDN on loopback that misbehaves as scripted."""

import gzip
import hashlib
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import fields
from itertools import count
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories.cdn import Answer, CdnRequest, FakeCdn, clip, plain, ranged, running_cdn
from worker.errors import Failure, Permanent, Transient
from worker.fal.download import AllowedHosts, Downloader, DownloadLimits, http_client
from worker.fal.download.allowed_hosts import AllowedHost
from worker.fal.download.url import parse
from worker.storage import Storage

BODY = clip()
CUT = 120_000


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FakeCdn, httpx.Client]]:
    """One CDN and one client that trusts it through SSL_CERT_FILE, for the whole module."""
    directory = tmp_path_factory.mktemp("cdn")
    with running_cdn(directory) as cdn, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(directory / "ca.pem"))
        # For all but the hosts of these tests: this machine never needs an exception.
        patch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
        patch.setenv("NO_PROXY", "cdn.example")
        with http_client() as client:
            yield cdn, client


@pytest.fixture
def cdn(served: tuple[FakeCdn, httpx.Client]) -> FakeCdn:
    served[0].script.clear()
    served[0].requests.clear()
    return served[0]


@pytest.fixture
def make(served: tuple[FakeCdn, httpx.Client]) -> Callable[..., Downloader]:
    """Build a downloader for the CDN that does not pause, with the changes that a test passes."""

    def build(**changes: object) -> Downloader:
        limits: dict[str, object] = {"max_bytes": 1_000_000, "sleep": lambda _: None}
        names = {field.name for field in fields(DownloadLimits)}
        limits |= {name: value for name, value in changes.items() if name in names}
        parts: dict[str, object] = {
            "hosts": AllowedHosts.parse("localhost"),
            "client": served[1],
            "limits": DownloadLimits(**limits),  # type: ignore[arg-type]
            **{name: value for name, value in changes.items() if name not in names},
        }
        return Downloader(**parts)  # type: ignore[arg-type]

    return build


@pytest.fixture
def storage() -> Storage:
    return Storage.open("memory://")


def put(storage: Storage) -> Callable[[Iterator[bytes]], object]:
    return lambda chunks: storage.put("clip", chunks, content_type="video/mp4")


def refused(downloader: Downloader, cdn: FakeCdn, storage: Storage, **options: object) -> Failure:
    """Return the failure of a fetch that stored nothing and reports no secret."""
    with pytest.raises(Failure) as caught:
        downloader.fetch(cdn.url(), put(storage), **options)  # type: ignore[arg-type]
    assert storage.read("clip") is None
    assert "hunter2" not in str(caught.value)
    return caught.value


def test_whole(make: Callable[..., Downloader], cdn: FakeCdn, storage: Storage) -> None:
    """A clip arrives in storage byte for byte, with its hash, size and type."""
    seen: list[tuple[int, int | None]] = []
    cdn.answers(ranged(BODY))
    downloaded = make().fetch(
        cdn.url(), put(storage), expect="media", progress=lambda *at: seen.append(at)
    )
    assert BODY == storage.read("clip")
    assert hashlib.sha256(BODY).hexdigest() == downloaded.sha256
    assert (len(BODY), "video/mp4", 0) == (
        downloaded.size,
        downloaded.content_type,
        downloaded.resumed,
    )
    assert (len(BODY), len(BODY)) == seen[-1]
    assert sorted(seen) == seen
    assert "identity" == cdn.requests[0].headers["Accept-Encoding"]
    assert "Range" not in cdn.requests[0].headers


@pytest.mark.parametrize(
    ("script", "ranges"),
    [
        ([ranged(BODY, cut=CUT), ranged(BODY)], [CUT]),
        (
            [ranged(BODY, cut=CUT), ranged(BODY, cut=CUT + 1), plain(503), ranged(BODY)],
            [CUT, CUT + 1, CUT + 1],
        ),
    ],
)
def test_cut_is_resumed(
    make: Callable[..., Downloader],
    cdn: FakeCdn,
    storage: Storage,
    script: list[Answer],
    ranges: list[int],
) -> None:
    """After a cut only the rest of the same object is requested, and the hash continues."""
    cdn.answers(*script)
    downloaded = make().fetch(cdn.url(), put(storage), expect="media")
    assert BODY == storage.read("clip")
    assert hashlib.sha256(BODY).hexdigest() == downloaded.sha256
    assert len(ranges) == downloaded.resumed
    resumed = [request.headers for request in cdn.requests[1:]]
    assert [f"bytes={first}-" for first in ranges] == [headers["Range"] for headers in resumed]
    assert {'"one"'} == {headers["If-Range"] for headers in resumed}


OTHER = clip(200_000, seed=2)


def part(first: int, body: bytes, *, etag: str | None = '"one"', short: int = 0) -> Answer:
    """A 206 from `first` to the end for any request; `short` bytes less than it announces."""
    rest = body[first : len(body) - short]
    span = f"bytes {first}-{len(body) - 1}/{len(body)}"
    return plain(206, rest, Content_Range=span, ETag=etag)


@pytest.mark.parametrize(
    ("script", "body"),
    [
        ([ranged(BODY, cut=CUT), ranged(OTHER, etag='"two"')], OTHER),
        ([ranged(BODY, cut=CUT), plain(200, BODY, ETag='"one"')], BODY),
        ([ranged(BODY, cut=CUT), plain(416)], BODY),
        ([ranged(BODY, cut=CUT), part(5, BODY)], BODY),
        ([ranged(BODY, cut=CUT), part(CUT, clip(len(BODY), seed=3), etag='"three"')], BODY),
        ([ranged(BODY, etag='W/"one"', cut=CUT)], BODY),
        ([ranged(BODY, etag=None, cut=CUT)], BODY),
        ([ranged(BODY, etag='"\xe9"', cut=CUT)], BODY),
        ([ranged(BODY, cut=CUT), part(CUT, clip(len(BODY), seed=3), etag=None)], BODY),
        ([ranged(BODY, cut=CUT), plain(206, Content_Range=f"bytes {CUT}-9/{'9' * 5000}")], BODY),
    ],
    ids=[
        *("changed", "range ignored", "416", "wrong range", "other object", "weak etag"),
        *("no etag", "etag beyond ASCII", "rest without its etag", "endless number"),
    ],
)
def test_starts_over(
    make: Callable[..., Downloader],
    cdn: FakeCdn,
    storage: Storage,
    script: list[Answer],
    body: bytes,
) -> None:
    """If the rest is not available the writer starts over; two objects are never mixed."""
    etag = '"two"' if body == OTHER else '"one"'
    cdn.answers(*script, ranged(body, etag=etag))
    downloaded = make().fetch(cdn.url(), put(storage))
    assert body == storage.read("clip")
    assert hashlib.sha256(body).hexdigest() == downloaded.sha256
    assert len(body) == downloaded.size


@pytest.mark.parametrize("etag", ['"one"', None])
def test_tries_end(
    make: Callable[..., Downloader], cdn: FakeCdn, storage: Storage, etag: str | None
) -> None:
    """A connection that is always cut fails after its tries, with growing pauses between them."""
    pauses: list[float] = []
    cdn.answers(*(ranged(BODY, etag=etag, cut=CUT + n) for n in range(9)))
    failure = refused(make(tries=4, pause=1, sleep=pauses.append), cdn, storage)
    assert (Transient, "download_cut") == (type(failure), failure.reason)
    assert 4 == len(cdn.requests)
    assert [1, 2, 4] == pauses


def without_length(request: CdnRequest) -> None:
    """The beginning of a chunked body, cut."""
    request.head(200, {"Transfer-Encoding": "chunked", "ETag": '"one"'})
    request.send(b"%x\r\n%s\r\n" % (CUT, BODY[:CUT]))


@pytest.mark.parametrize("start", [without_length, ranged(BODY, cut=CUT)])
def test_short_part(
    make: Callable[..., Downloader], cdn: FakeCdn, storage: Storage, start: Answer
) -> None:
    """A part that ends before its announced length is a cut, even without a length before it."""
    cdn.answers(start, part(CUT, BODY, short=1000), ranged(BODY))
    assert 2 == make().fetch(cdn.url(), put(storage)).resumed
    assert BODY == storage.read("clip")


@pytest.mark.parametrize("etag", ['"one"', None])
def test_a_cut_body_without_a_length_is_not_whole(
    make: Callable[..., Downloader], cdn: FakeCdn, storage: Storage, etag: str | None
) -> None:
    """Only a connection that is closed as TLS requires ends a body that announces no length."""

    def cut(request: CdnRequest) -> None:
        request.head(200, {"ETag": etag} if etag else {})
        request.send(BODY[:CUT])
        request.handler.request.shutdown(socket.SHUT_RDWR)

    cdn.answers(cut, ranged(BODY, etag=etag), plain(200, BODY, Content_Length=None))
    for _ in range(2):
        make().fetch(cdn.url(), put(storage), expect="media")
        assert BODY == storage.read("clip")
    assert [] == list(cdn.script)


def test_chunks_override_an_announced_length(
    make: Callable[..., Downloader], cdn: FakeCdn, storage: Storage
) -> None:
    """A body in chunks is whole at its last chunk, whatever Content-Length says."""

    def both(request: CdnRequest) -> None:
        request.head(200, {"Transfer-Encoding": "chunked", "Content-Length": 7})
        request.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY))

    cdn.answers(both)
    assert len(BODY) == make().fetch(cdn.url(), put(storage)).size


def endless(request: CdnRequest) -> None:
    """A body without length or end."""
    request.head(200, {"Transfer-Encoding": "chunked"})
    for start in (b"\0\0\0\x18ftypisom", *(b"x" * 65536 for _ in range(1000))):
        request.send(b"%x\r\n%s\r\n" % (len(start), start))


@pytest.mark.parametrize(
    "head", [b"RIFF\0\0\0\0AVI LIST", (b"\x47" + bytes(187)) * 3, b"\0\0\x01\xba\x44"]
)
def test_unreadable_video_containers(
    make: Callable[..., Downloader], cdn: FakeCdn, storage: Storage, head: bytes
) -> None:
    """A body that begins as any video container is stored, because it was paid for."""
    body = head + bytes(1000)
    cdn.answers(plain(200, body))
    make().fetch(cdn.url(), put(storage), expect="media")
    assert body == storage.read("clip")


def short_of_announced(request: CdnRequest) -> None:
    request.head(200, {"Content-Length": 10_000_000})


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (endless, (Permanent, "download_too_large")),
        (short_of_announced, (Permanent, "download_too_large")),
        (
            plain(200, gzip.compress(bytes(9_000_000)), Content_Encoding="gzip"),
            (Permanent, "download_refused"),
        ),
        (
            plain(200, b"<html>sorry</html>", Content_Type="text/html"),
            (Permanent, "download_not_media"),
        ),
        (plain(200, b""), (Permanent, "download_not_media")),
        (plain(200, b"\0\0\0\x18fty"), (Permanent, "download_not_media")),
        (plain(200, clip(1000), Content_Length=2000), (Transient, "download_cut")),
        (plain(206, clip(1000), Content_Range="bytes 0-999/1000"), (Permanent, "download_refused")),
        (plain(204), (Permanent, "download_refused")),
        (plain(302, Location="https://127.0.0.1/secret"), (Permanent, "download_refused")),
        (plain(307, Location="/files/clip.mp4"), (Permanent, "download_refused")),
        (plain(404), (Permanent, "download_gone")),
        (plain(403), (Permanent, "download_gone")),
        (plain(410), (Permanent, "download_gone")),
        (plain(401), (Permanent, "download_refused")),
        (plain(408), (Transient, "download_unavailable")),
        (plain(500), (Transient, "download_unavailable")),
        (lambda request: None, (Transient, "download_unavailable")),
    ],
)
def test_refusals(
    make: Callable[..., Downloader],
    cdn: FakeCdn,
    storage: Storage,
    answer: Answer,
    outcome: tuple[type[Failure], str],
) -> None:
    """Any other response fails with a reason code; nothing is stored and no redirect followed."""
    cdn.answers(*[answer] * 2)
    failure = refused(make(tries=2), cdn, storage, expect="media")
    assert outcome == (type(failure), failure.reason)
    assert (2 if failure.reason == "download_cut" else 1) == len(cdn.requests)


@pytest.mark.parametrize("head", [b"\x1a\x45\xdf\xa3\x9f", b"GIF89a", b"\x89PNG\r\n\x1a\n"])
def test_other_media(
    make: Callable[..., Downloader], cdn: FakeCdn, storage: Storage, head: bytes
) -> None:
    """A video in another container than announced is stored."""
    body = head + bytes(1000)
    cdn.answers(plain(200, body))
    make().fetch(cdn.url(), put(storage), expect="media")
    assert body == storage.read("clip")


@pytest.mark.parametrize("limit", [len(BODY), len(BODY) - 1])
def test_size_limit(
    make: Callable[..., Downloader], cdn: FakeCdn, storage: Storage, limit: int
) -> None:
    """max_bytes are accepted and one byte more is not, with or without a Content-Length."""
    cdn.answers(ranged(BODY), plain(200, BODY, Content_Length=None))
    for _ in range(2):
        if limit == len(BODY):
            assert limit == make(max_bytes=limit).fetch(cdn.url(), put(storage)).size
        else:
            assert "download_too_large" == refused(make(max_bytes=limit), cdn, storage).reason


@pytest.mark.parametrize(
    ("value", "after"),
    [
        ("7", 7.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2015 07:28:00", None),
        ("soon", None),
    ],
)
def test_retry_after(
    make: Callable[..., Downloader], cdn: FakeCdn, storage: Storage, value: str, after: float | None
) -> None:
    """The wait that the CDN requests is passed on, in seconds."""
    cdn.answers(plain(429, Retry_After=value))
    failure = refused(make(), cdn, storage)
    assert isinstance(failure, Transient)
    assert ("download_unavailable", after) == (failure.reason, failure.after)


def trickle(request: CdnRequest) -> None:
    """A byte now and then."""
    request.head(200, {"Content-Length": 100_000})
    for byte in BODY:
        request.send(bytes([byte]))
        if request.stopped.wait(0.01):
            return


def test_trickle(make: Callable[..., Downloader], cdn: FakeCdn, storage: Storage) -> None:
    """A body that arrives below the minimum rate, or after the deadline, is abandoned."""
    cdn.answers(trickle, trickle)
    slow = refused(make(min_rate=1e6, window=0.1), cdn, storage)
    assert (Transient, "download_slow") == (type(slow), slow.reason)
    late = refused(make(deadline=10, clock=count().__next__), cdn, storage)
    assert (Transient, "download_slow") == (type(late), late.reason)
    assert "within 10 s" in late.sentence


@pytest.mark.parametrize(
    ("start", "endless"),
    [
        (b"HTTP/1.1 200 OK\r\nX-A: ", b"a"),
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"a"),
    ],
    ids=["header", "informational responses", "chunk extension"],
)
def test_what_never_becomes_a_body_is_abandoned(
    make: Callable[..., Downloader], cdn: FakeCdn, storage: Storage, start: bytes, endless: bytes
) -> None:
    """A peer that keeps sending, but no byte of the body, is left at the deadline."""

    def drip(request: CdnRequest) -> None:
        request.send(start)
        with suppress(OSError):
            while not request.stopped.wait(0.02):
                request.send(endless)

    cdn.answers(drip)
    failure = refused(make(deadline=0.3), cdn, storage)
    assert (Transient, "download_slow") == (type(failure), failure.reason)


def test_slow_writer_is_not_a_slow_peer(make: Callable[..., Downloader], cdn: FakeCdn) -> None:
    """Only time spent waiting for the CDN counts against its rate, not the writer's time."""
    now = [0.0]

    def write(chunks: Iterator[bytes]) -> None:
        for _ in chunks:
            now[0] += 10

    cdn.answers(ranged(BODY))
    downloader = make(min_rate=1e9, window=0.001, clock=lambda: now[0], deadline=1e9)
    assert len(BODY) == downloader.fetch(cdn.url(), write).size


def test_failing_writer(make: Callable[..., Downloader], cdn: FakeCdn) -> None:
    """The writer's own failure is raised unchanged; a writer that stops early is a defect."""

    def full(chunks: Iterator[bytes]) -> None:
        next(chunks)
        raise Transient("storage_full", "full")

    cdn.answers(ranged(BODY), ranged(BODY))
    with pytest.raises(Transient, match="storage_full"):
        make().fetch(cdn.url(), full)
    with pytest.raises(RuntimeError, match="before the end"):
        make().fetch(cdn.url(), next)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "fe80::1%eth0"])
def test_name_that_resolves_to_a_private_address(
    make: Callable[..., Downloader], cdn: FakeCdn, address: str
) -> None:
    """A name that resolves to a private address, even among public ones, gets no request."""
    hosts = AllowedHosts.parse(f"cdn.example:{cdn.port}")
    downloader = make(hosts=hosts, resolve=lambda *_: ["1.1.1.1", address])
    with pytest.raises(Permanent, match=r"download_refused: .* is not public"):
        downloader.fetch(cdn.url(host="cdn.example"), list)
    assert [] == cdn.requests


def test_name_that_changes_after_it_was_resolved(
    make: Callable[..., Downloader], cdn: FakeCdn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that then connects to a private address is refused before any byte is read."""
    cdn.answers(ranged(BODY))
    connect = __import__("socket").create_connection

    def rebound(address: tuple[str, int], *args: object, **options: object) -> object:
        return connect(("127.0.0.1", address[1]), *args, **options)

    monkeypatch.setattr("socket.create_connection", rebound)
    written: list[bytes] = []
    downloader = make(
        hosts=AllowedHosts.parse(f"cdn.example:{cdn.port}"), resolve=lambda *_: ["1.1.1.1"]
    )
    with pytest.raises(Permanent, match=r"resolves to 127\.0\.0\.1"):
        downloader.fetch(cdn.url(host="cdn.example"), written.extend)
    assert [] == written


def test_unreachable(make: Callable[..., Downloader], cdn: FakeCdn, storage: Storage) -> None:
    """An unknown name, a closed port and an untrusted certificate are transient."""

    def unknown(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    assert "download_unavailable" == refused(make(resolve=unknown), cdn, storage).reason
    with httpx.Client(trust_env=False) as untrusting:
        failure = refused(make(client=untrusting), cdn, storage)
    assert (Transient, "download_unavailable") == (type(failure), failure.reason)
    assert "CERTIFICATE_VERIFY_FAILED" in failure.sentence


def test_logs_contain_no_url(
    make: Callable[..., Downloader],
    cdn: FakeCdn,
    storage: Storage,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No log line contains the query of a signed URL."""
    caplog.set_level(logging.DEBUG)
    cdn.answers(ranged(BODY))
    make().fetch(cdn.url(), put(storage))
    assert "hunter2" not in caplog.text


def test_cookies_are_not_kept(
    make: Callable[..., Downloader], cdn: FakeCdn, storage: Storage
) -> None:
    """A cookie from one download is not sent with the next."""
    cdn.answers(plain(200, BODY, Set_Cookie="a=b; Path=/"), ranged(BODY))
    make().fetch(cdn.url(), put(storage))
    make().fetch(cdn.url(), put(storage))
    assert "Cookie" not in cdn.requests[1].headers


LARGE = """
import resource, sys
from worker.fal.download import AllowedHosts, Downloader, DownloadLimits, http_client
from worker.storage import Storage

storage = Storage.open(sys.argv[2])
storage.put("warm", iter([bytes(6_000_000)]), content_type="video/mp4")
downloader = Downloader(
    hosts=AllowedHosts.parse("localhost"),
    client=http_client(),
    limits=DownloadLimits(max_bytes=200_000_000),
)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
downloaded = downloader.fetch(
    sys.argv[1], lambda chunks: storage.put("clip", chunks, content_type="video/mp4")
)
print(downloaded.size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_stays_flat(cdn: FakeCdn, tmp_path: Path) -> None:
    """A process that downloads 100 MB grows by less than a third of that."""
    cdn.answers(ranged(clip(100_000_000)))
    program = subprocess.run(
        [sys.executable, "-c", LARGE, cdn.url(), str(tmp_path / "store")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=os.environ,
    )
    size, grown_kib = map(int, program.stdout.split())
    assert 100_000_000 == size
    assert grown_kib < 32 * 1024
    assert 100_000_000 == (tmp_path / "store/clip").stat().st_size


FAL = AllowedHosts.parse(
    "*.fal.media, fal.media,storage.googleapis.com/falserverless/,localhost:8443,[::1],a.b:444/x/"
)


@pytest.mark.parametrize(
    "url",
    [
        "https://v3b.fal.media/files/b/zebra/clip.mp4?sig=a",
        "https://a.b.fal.media/",
        "HTTPS://FAL.media:443/x",
        "https://storage.googleapis.com/falserverless/a..b/x.mp4",
        "https://localhost:8443/x",
        "https://[::1]:9/x",
        "https://a.b:444/x/y",
        "http://fal.media/x",
        "http://fal.media:80/x",
        "//fal.media/x",
        "https://fal.media./x",
        "http://localhost:8443/x",
    ],
)
def test_allowed(url: str) -> None:
    """fal's own hosts, and those that the operator adds, are allowed in every spelling."""
    FAL.check(url)


@pytest.mark.parametrize(
    ("url", "requested"),
    [
        ("http://v3.fal.media/x?a=1", "https://v3.fal.media/x?a=1"),
        ("http://fal.media:80/x", "https://fal.media/x"),
        ("//v3.fal.media/x//y", "https://v3.fal.media/x//y"),
        ("https://v3.fal.media.:443/x", "https://v3.fal.media/x"),
        ("HTTP://FAL.media./x", "https://fal.media/x"),
        ("http://localhost:8443/x", "https://localhost:8443/x"),
    ],
)
def test_every_request_is_https(url: str, requested: str) -> None:
    """Neither another scheme, nor a dot that ends the host, makes a paid file unreachable."""
    assert requested == str(parse(url))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "clip.mp4",
        "file:///etc/passwd",
        "ftp://fal.media/x",
        "http://evil.example/x",
        "//evil.example/x",
        "http://fal.media:81/x",
        "///fal.media/x",
        "https://fal.media../x",
        "http://me@fal.media/x",
        "https:fal.media/x",
        "https:///x",
        "https://fal.media.evil.example/x",
        "https://evilfal.media/x",
        "https://me@fal.media/x",
        "https://@fal.media/x",
        "https://fal.media@evil.example/x",
        "https://evil.example\\@fal.media/x",
        "https://evil.example#@fal.media/x",
        "https://fal.media:444/x",
        "https://fal.media:99999/x",
        "https://fal.media:x/x",
        "https://localhost/x",
        "https://localhost:8444/x",
        "https://a.b/x/y",
        "https://a.b:444/y",
        "https://127.0.0.1/x",
        "https://127.1/x",
        "https://2130706433/x",
        "https://0x7f000001/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://[fe80::1%25eth0]/x",
        "https://storage.googleapis.com/falserverless",
        "https://storage.googleapis.com/other/x",
        "https://storage.googleapis.com/falserverless/../other/x",
        "https://storage.googleapis.com/falserverless/%2e%2e/other/x",
        "https://storage.googleapis.com/falserverless/.%2E/other/x",
        "https://storage.googleapis.com/falserverless/%252e%252e/other/x",
        "https://storage.googleapis.com/falserverless/..%2fother/x",
        "https://storage.googleapis.com/falserverless/..%5cother/x",
        "https://fal.media/x\ty",
        "https://fal.media/\ud800",
        "https://fal.media/\r\nX: y",
        "https://f\u0430l.media/x",
        "https://fal.media/" + "x" * 9000,
    ],
)
def test_not_allowed(url: str) -> None:
    """A URL of another scheme, host, port or prefix is refused permanently."""
    with pytest.raises(Permanent, match="download_refused"):
        FAL.check(url)


@pytest.mark.parametrize("url", ["v3.fal.media/a.mp4?sig=x", "ftp://v3.fal.media/a.mp4?sig=x"])
def test_a_url_that_cannot_be_requested_is_named(url: str) -> None:
    """The sentence has the address, for a person to fetch it, without its query."""
    with pytest.raises(Permanent, match=r"neither http nor https: (ftp://)?v3\.fal\.media/a\.mp4$"):
        FAL.check(url)


def outcome(url: str) -> str:
    try:
        FAL.check(url)
    except Permanent as failure:
        return failure.reason
    return "allowed"


AUTHORITIES = st.sampled_from(["fal.media", "storage.googleapis.com", "localhost:8443", "a.b:444"])
ODD = st.text(alphabet="ab.:@[]%/\\#?0", max_size=4)


@given(
    scheme=st.sampled_from(["https://", "http://", "//"]),
    authority=st.builds("{}{}{}".format, ODD, AUTHORITIES, ODD),
    prefix=st.sampled_from(["/", "/falserverless/", "/x/"]),
    path=st.text(alphabet="ab./%2eE5cf\\?#@:", max_size=20),
)
def test_an_allowed_url_stays_below_its_prefix(
    scheme: str, authority: str, prefix: str, path: str
) -> None:
    """Any allowed URL is sent to an allowed host and port, below its prefix."""
    url = f"{scheme}{authority}{prefix}{path}"
    if outcome(url) == "download_refused":
        return
    sent = parse(url)
    target = sent.raw_path.partition(b"?")[0]
    inside = {
        "localhost": sent.port == 8443,
        "a.b": sent.port == 444 and target.startswith(b"/x/"),
        "storage.googleapis.com": sent.port is None and target.startswith(b"/falserverless/"),
    }
    assert inside.get(sent.host, f".{sent.host}".endswith(".fal.media") and sent.port is None)
    assert b".." not in target.split(b"/")
    assert "https" == sent.scheme


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_refused_or_allowed(before: str, after: str) -> None:
    """The check of any text raises nothing but download_refused."""
    for url in (before, f"https://{before}", f"https://fal.media{before}", f"{before}://{after}"):
        assert outcome(url) in {"allowed", "download_refused"}


@pytest.mark.parametrize(
    "setting",
    [
        "",
        "fal.media,",
        "*",
        "*.media",
        "a.*.b",
        "https://fal.media",
        "fal.media:0",
        "fal.media:65536",
        "fal.media/x",
        "fal.media/../",
        "me@fal.media",
        "fal media",
        "[::1",
    ],
)
def test_bad_setting(setting: str) -> None:
    """An invalid entry is refused with the setting and the entry."""
    with pytest.raises(ValueError, match="FALHOOK_DOWNLOAD_HOSTS: '"):
        AllowedHosts.parse(setting)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("1.1.1.1", True),
        ("2606:4700::1111", True),
        ("64:ff9b::101:101", True),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("10.1.2.3", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("192.168.0.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff0e::1", False),
    ],
)
def test_addresses(address: str, public: bool) -> None:
    """Only public addresses are allowed; a loopback entry also allows loopback addresses."""
    assert public == AllowedHost.parse("fal.media").allows_address(address)
    loopback = address in {
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
    }
    assert (public or loopback) == AllowedHost.parse("localhost").allows_address(address)
