"""A collector: it takes traces over OTLP/HTTP and keeps their spans."""

import threading
from collections.abc import Iterator
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

    def wait(self, name: str, number: int = 1) -> list[Any]:
        """Wait until so many spans with this name are there; return all spans."""
        until(lambda: self._count(name) >= number, f"{number} spans {name}", 60)
        return list(self.spans)

    def _count(self, name: str) -> int:
        return sum(span.name == name for span in self.spans)


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
