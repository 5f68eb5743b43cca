"""A receiver of webhooks for the local stack, which shows what came.

It verifies nothing, so that it works with any endpoint: docs/webhooks.md shows how a real one does.
"""

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Messages that GET / shows, and bytes of one.
_SHOWN = 50
_LONGEST = 65_536


@contextmanager
def webhook_receiver(say: Callable[[str], object]) -> Iterator[str]:
    """Accept messages while the block runs; yield the address to add as an endpoint.

    `say` gets a line for each. GET of the address shows the last ones.
    """
    last: deque[bytes] = deque(maxlen=_SHOWN)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(min(length, _LONGEST))
            last.append(body)
            say(_line(self.headers.get("webhook-id", "without an id"), body))
            self._answer(b"")

        def do_GET(self) -> None:
            self._answer(b"\n".join(last) + b"\n")

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name there
            """Say nothing of requests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


def _line(message: str, body: bytes) -> str:
    try:
        content = json.loads(body)
        kind, subject = str(content["type"]), str(content["data"]["id"])
    except (ValueError, KeyError, TypeError):
        kind, subject = f"{len(body)} bytes", ""
    text = f"webhook {kind}  {subject}  {message}"
    return "".join(letter if letter.isprintable() else "?" for letter in text[:200])
