"""The server of /metrics."""

import socket
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webhook.server.config import configuration
from worker.metrics.exporter import Exporter
from worker.metrics.page import CONTENT_TYPE

# Seconds that a fold under way may delay the end.
_END = 6.0


def serve(exporter: Exporter, listeners: Sequence[socket.socket]) -> int:
    """Serve until SIGTERM and return 0, or 3 if the startup failed."""
    server = uvicorn.Server(configuration(application(exporter)))
    server.run(sockets=list(listeners))
    return 0 if server.started else 3


def application(exporter: Exporter) -> Starlette:
    """Return the application, which folds as long as it runs."""

    async def metrics(_request: Request) -> Response:
        return Response(exporter.text(), headers={"content-type": CONTENT_TYPE})

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        thread = threading.Thread(target=exporter.run, name="fold", daemon=True)
        thread.start()
        yield
        exporter.stop()
        thread.join(_END)

    return Starlette(routes=[Route("/metrics", metrics)], lifespan=lifespan)
