"""One receiver process on open sockets."""

import gc
import socket
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from webhook.app import create_app
from webhook.server.config import configuration
from webhook.settings.settings import ReceiverSettings

# New objects after which those among them that refer to each other are searched for garbage.
YOUNG = 5_000


def serve(
    settings: ReceiverSettings, listeners: Sequence[socket.socket], *, metrics: Path | None = None
) -> int:
    """Serve until SIGTERM and return 0, or 3 if the startup failed.

    `metrics` is the directory in which several processes count; None if there is only this one.
    """
    app = create_app(settings, metrics=metrics)
    server = uvicorn.Server(configuration(app, direct=app.take))
    # Objects from imports and startup are never freed. Scanning them for garbage under load would
    # stop all callbacks for 50 ms each time.
    gc.collect()
    gc.freeze()
    # A few dozen callbacks under way are more objects than the usual 700, and would start a
    # collection each time. They leave no garbage that needs one.
    gc.set_threshold(YOUNG, 10, 10)
    server.run(sockets=list(listeners))
    return 0 if server.started else 3
