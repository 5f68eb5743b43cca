"""A receiver of webhooks: a real HTTP server, over TLS if wanted, that keeps what came."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request; `at` is Unix time."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def id(self) -> str:
        """The id of the message."""
        return self.headers["webhook-id"]

    @property
    def content(self) -> dict[str, Any]:
        """The body."""
        content: dict[str, Any] = json.loads(self.body)
        return content

    def verified(self, secret: str) -> dict[str, Any]:
        """Return the body, as the reference library verifies it."""
        content: dict[str, Any] = Webhook(secret).verify(self.body, dict(self.headers))
        return content


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: a status, headers and a body, sent after so many seconds."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    after: float = 0.0


OK = Reply()
Answering = Callable[[Received], Reply]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients of tests go away as they please."""


@dataclass(slots=True)
class Receiver:
    """A receiver on loopback; `answer` decides what it says, and may be replaced."""

    answer: Answering
    url: str = ""
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    _news: threading.Condition = field(default_factory=threading.Condition)

    def note(self, request: Received) -> None:
        """Keep a request."""
        with self._news:
            self.received.append(request)
            self._news.notify_all()

    def wait_for(self, count: int, seconds: float = 60.0) -> list[Received]:
        """Return what came, once so many requests have."""
        return self.wait_until(lambda received: len(received) >= count, seconds)

    def wait_until(
        self, enough: Callable[[list[Received]], bool], seconds: float = 60.0
    ) -> list[Received]:
        """Return what came, once that is enough."""
        with self._news:
            came = self._news.wait_for(lambda: enough(self.received), seconds)
            assert came, f"messages are missing; {len(self.received)} came"
            return list(self.received)


@contextmanager
def receiver(
    answer: Answering = lambda _request: OK, *, tls: ssl.SSLContext | None = None
) -> Iterator[Receiver]:
    """Run a receiver until the block ends."""
    made = Receiver(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            made.connections += 1

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(length)
            request = Received(path=self.path, headers=headers, body=body, at=time.time())
            made.note(request)
            reply = made.answer(request)
            if reply.after:
                time.sleep(reply.after)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = _Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    scheme = "http" if tls is None else "https"
    made.url = f"{scheme}://localhost:{server.server_address[1]}/hooks"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
