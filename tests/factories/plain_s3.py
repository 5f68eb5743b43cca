"""An S3 store of few abilities: it answers 501 to conditional writes, as some stores do."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape, unescape

import pytest

OBJECT = (
    "<Contents><Key>{}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
    "<ETag>&quot;e&quot;</ETag><Size>{}</Size></Contents>"
)


class _Handler(BaseHTTPRequestHandler):
    """One request of S3; `objects` are the store."""

    objects: ClassVar[dict[str, bytes]]

    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        """Store or copy an object, unless there is a condition."""
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self.headers.get("If-None-Match"):
            self._answer(501, b"<Error><Code>NotImplemented</Code></Error>")
            return
        source = self.headers.get("x-amz-copy-source")
        place = unquote(urlsplit(self.path).path)
        self.objects[place] = (
            body if source is None else self.objects[f"/{unquote(source).lstrip('/')}"]
        )
        done = b"<CopyObjectResult><ETag>&quot;e&quot;</ETag></CopyObjectResult>"
        self._answer(200, done if source else b"")

    def do_GET(self) -> None:
        """Return an object, or a list of them."""
        parts = urlsplit(self.path)
        if "list-type" in (query := parse_qs(parts.query)):
            start = f"{unquote(parts.path).rstrip('/')}/"
            names = [path.removeprefix(start) for path in sorted(self.objects)]
            found = [name for name in names if name.startswith(query["prefix"][0])]
            items = (OBJECT.format(escape(n), len(self.objects[start + n])) for n in found)
            page = f"<ListBucketResult>{''.join(items)}</ListBucketResult>"
            self._answer(200, page.encode())
            return
        content = self.objects.get(unquote(parts.path))
        self._answer(404 if content is None else 200, content or b"")

    def do_HEAD(self) -> None:
        """Return what is known of an object."""
        self.do_GET()

    def do_POST(self) -> None:
        """Remove the listed objects."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        names = [unescape(name) for name in re.findall("<Key>(.*?)</Key>", body)]
        for name in names:
            self.objects.pop(f"{unquote(urlsplit(self.path).path)}/{name}", None)
        gone = "".join(f"<Deleted><Key>{escape(name)}</Key></Deleted>" for name in names)
        self._answer(200, f"<DeleteResult>{gone}</DeleteResult>".encode())

    def do_DELETE(self) -> None:
        """Remove an object."""
        self.objects.pop(unquote(urlsplit(self.path).path), None)
        self._answer(204, b"")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"e"')
        self.send_header("Last-Modified", formatdate(usegmt=True))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def plain_s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """Run the store and let obstore use it; yield its objects by path."""
    objects: dict[str, bytes] = {}
    handler = type("Handler", (_Handler,), {"objects": objects})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        settings = {"AWS_ENDPOINT_URL": address, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "x"}
        for name, value in {**settings, "AWS_ACCESS_KEY_ID": "a"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
        try:
            yield objects
        finally:
            server.shutdown()
            thread.join()
