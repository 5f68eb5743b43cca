"""A CDN on loopback that speaks TLS and answers each request as its script says."""

import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import trustme


def clip(size: int = 300_000, seed: int = 1) -> bytes:
    """Return bytes that begin like an MP4 file; the same for the same seed."""
    block = sha256(b"%d" % seed).digest()
    return (b"\0\0\0\x18ftypisom" + block * (size // len(block) + 1))[:size]


@dataclass
class CdnRequest:
    """One received request, and how to answer it."""

    path: str
    headers: Mapping[str, str]
    handler: BaseHTTPRequestHandler
    stopped: threading.Event

    def head(self, status: int, headers: Mapping[str, object]) -> None:
        self.handler.send_response(status)
        for name, value in headers.items():
            self.handler.send_header(name, str(value))
        self.handler.send_header("Connection", "close")
        self.handler.end_headers()

    def send(self, data: bytes) -> None:
        self.handler.wfile.write(data)
        self.handler.wfile.flush()


Answer = Callable[[CdnRequest], None]


def plain(status: int, body: bytes = b"", **headers: object) -> Answer:
    """Answer any request with this; `Content_Length=None` omits that header."""
    by_name = {name.replace("_", "-"): value for name, value in headers.items()}
    by_name.setdefault("Content-Length", len(body))
    sent = {name: value for name, value in by_name.items() if value is not None}

    def answer(request: CdnRequest) -> None:
        request.head(status, sent)
        request.send(body)

    return answer


def ranged(body: bytes, *, etag: str | None = '"one"', cut: int | None = None) -> Answer:
    """Answer Range and If-Range as RFC 9110 requires; `cut` ends the connection at that offset."""

    def answer(request: CdnRequest) -> None:
        etags = {"ETag": etag} if etag else {}
        requested = request.headers.get("Range")
        if requested and request.headers.get("If-Range") == etag:
            first = int(requested.removeprefix("bytes=").rstrip("-"))
            span = {"Content-Range": f"bytes {first}-{len(body) - 1}/{len(body)}"}
            request.head(206, {"Content-Length": len(body) - first, **span, **etags})
        else:
            first = 0
            request.head(200, {"Content-Length": len(body), "Content-Type": "video/mp4", **etags})
        request.send(body[first:cut])

    return answer


@dataclass
class FakeCdn:
    """A running CDN: its port, the requests it received, and its next answers."""

    port: int
    script: deque[Answer] = field(default_factory=deque)
    requests: list[CdnRequest] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str = "/files/clip.mp4?sig=hunter2", host: str = "localhost") -> str:
        return f"https://{host}:{self.port}{path}"

    def answers(self, *script: Answer) -> None:
        self.script.extend(script)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    cdn: FakeCdn
    context: ssl.SSLContext

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore the error: a client that hangs up is part of most scripts."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        self.request = self.server.context.wrap_socket(self.request, server_side=True)
        super().setup()

    def finish(self) -> None:
        try:
            super().finish()
            with suppress(OSError):  # a script may have cut the connection
                self.request.settimeout(0.5)  # the client may keep it open, to use it again
                self.request.unwrap()
        finally:
            self.request.close()

    def do_GET(self) -> None:
        cdn = self.server.cdn
        headers = {name.title(): value for name, value in self.headers.items()}
        request = CdnRequest(path=self.path, headers=headers, handler=self, stopped=cdn.stopped)
        cdn.requests.append(request)
        self.close_connection = True
        cdn.script.popleft()(request)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log nothing."""


@contextmanager
def running_cdn(directory: Path) -> Iterator[FakeCdn]:
    """Run a CDN on a free port; its authority's certificate is `directory/ca.pem`."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1", "cdn.example").configure_cert(context)
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.context = context
        server.cdn = FakeCdn(port=server.server_port)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.cdn
        finally:
            server.cdn.stopped.set()
            server.shutdown()
            thread.join(10)
