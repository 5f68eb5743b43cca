"""Collectors of traces: one that keeps the spans that come, and two that never answer."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from typing import Any

from tests.faults.waiting import until


@dataclass(slots=True)
class Sink:
    """The spans that arrived at `url`, as the protocol has them."""

    url: str
    spans: list[Any] = field(default_factory=list)

    def wait(self, name: str) -> list[Any]:
        """Wait until a span with this name is there; return all spans."""
        return self.wait_until(lambda spans: name in {span.name for span in spans})

    def wait_until(self, enough: Callable[[list[Any]], bool]) -> list[Any]:
        """Wait until what came is enough; return it."""
        until(lambda: enough(list(self.spans)), "the spans of a trace", 60)
        return list(self.spans)


@contextmanager
def sink() -> Iterator[Sink]:
    """Run a collector until the block ends."""
    name = "opentelemetry.proto.collector.trace.v1.trace_service_pb2"
    trace_service_pb2: Any = import_module(name)  # only where it is installed

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request: Any = trace_service_pb2.ExportTraceServiceRequest()
            request.ParseFromString(body)
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    collected.spans.extend(scope.spans)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collected = Sink(f"http://127.0.0.1:{server.server_port}/v1/traces")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collected
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def deaf(*, accepts: bool) -> Iterator[str]:
    """Yield the address of a collector that never answers, or whose port refuses connections."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if accepts:
            # The kernel completes connections and takes what is sent.
            server.listen(128)
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v1/traces"
