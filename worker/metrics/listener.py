"""A small server of one page, in a thread of a process that does something else."""

import socket
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

from webhook.log import get_logger
from webhook.server.sockets import BindError, Names, listen
from worker.metrics.page import CONTENT_TYPE

NAMES = Names("FALHOOK_METRICS_HOST", "FALHOOK_PROCESS_METRICS_PORT")
# Seconds until a port that another process has is tried again: it may be about to end.
AGAIN = 5.0
_OK, _NOT_FOUND = 200, 404

log = get_logger()


class _Handler(BaseHTTPRequestHandler):
    # Seconds for one request: there is one at a time.
    timeout = 5.0
    page: ClassVar[Callable[[], bytes]]

    def do_GET(self) -> None:
        """Answer with the page."""
        found = self.path.partition("?")[0] == "/metrics"
        body = type(self).page() if found else b""
        self.send_response(_OK if found else _NOT_FOUND)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class _Server(HTTPServer):
    def handle_error(self, *_: object) -> None:
        """Do nothing: a peer that goes away is none of our errors."""


def serve_page(page: Callable[[], bytes], host: str, port: int) -> None:
    """Serve the page in threads until the process ends.

    Nothing that goes wrong with it ends the process: a port that is in use is tried again.
    """
    threading.Thread(target=lambda: _open(page, host, port), name="metrics", daemon=True).start()


def _open(page: Callable[[], bytes], host: str, port: int) -> None:
    pause = threading.Event()
    told = False
    while True:
        try:
            listeners = listen(host, port, NAMES)
        except BindError as error:
            if not told:
                log.warning("metrics.unserved", sentence=f"{error}.")
            told = True
            pause.wait(AGAIN)
        else:
            return _serve(page, listeners)


def _serve(page: Callable[[], bytes], listeners: Sequence[socket.socket]) -> None:
    handler = type("Handler", (_Handler,), {"page": staticmethod(page)})
    for listener in listeners:
        server = _Server(listener.getsockname()[:2], handler, bind_and_activate=False)
        server.socket.close()
        server.socket = listener
        threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
