"""`python -m api`: the API on uvicorn."""

import gc
import sys
from contextlib import suppress

from api.app import create_app
from api.composition import compose
from api.events.connections import watch_peers
from api.events.server import StreamServer
from webhook.log import capture_output, configure, refuse
from webhook.server.config import configuration, max_connections
from webhook.server.http_protocol import HttpLimits
from webhook.server.sockets import BindError, Names, listen
from webhook.settings.errors import SettingsError
from worker.errors import Failure
from worker.metrics.listener import serve_page
from worker.metrics.page import ProcessPage
from worker.settings.api import ApiSettings
from worker.storage import Storage

_CONNECTIONS = 16_384


def main() -> int:
    """Serve until SIGTERM and return 0; 2 if a setting is wrong, 3 if the startup failed."""
    capture_output()
    try:
        settings = ApiSettings.from_env()
        _require_storage(settings)
        names = Names("FALHOOK_API_HOST", "FALHOOK_API_PORT")
        listeners = listen(settings.api_host, settings.api_port, names)
    except (SettingsError, BindError, ValueError) as error:
        refuse(str(error).splitlines())
        return 2
    configure(level=settings.log_level, form=settings.log_format)
    watch_peers(listeners)
    # A thread that computes holds the interpreter for this long, 5 ms by default: each change
    # between the loop and a request's thread would wait for it.
    sys.setswitchinterval(0.0005)
    tools = compose(settings)
    bounds = limits(settings)
    server = StreamServer(configuration(create_app(tools), bounds), tools.changes, bounds)
    tools.metrics.connections = lambda: len(server.server_state.connections)
    if port := settings.process_metrics_port:
        serve_page(ProcessPage(tools.metrics.collect).text, settings.metrics_host, port)
    # Objects of imports and startup are never freed: scanning them would stop all requests. Those
    # of a request are freed when it ends, but for some that refer to each other: a search for
    # those of a thousand requests stops the others for 40 ms.
    gc.collect()
    gc.freeze()
    gc.set_threshold(1_000, 20, 20)
    server.run(sockets=listeners)
    return 0 if server.started else 3


def _require_storage(settings: ApiSettings) -> None:
    """Return if FALHOOK_STORAGE_URL can name a storage, be it there or not. Raises ValueError."""
    with suppress(Failure):  # a worker creates its directory, and requests wait for that
        Storage.existing(settings.storage_url)


def limits(settings: ApiSettings) -> HttpLimits:
    """Return the limits of requests: an upload takes its time."""
    return HttpLimits(
        # Streams stay open, and silent connections for ten seconds.
        connections=max_connections(_CONNECTIONS),
        request_bytes=2 * settings.api_upload_max_bytes,
        body_seconds=600.0,
        # The longest wait for a job (models/job_query.py), and a storage that answers slowly.
        answer_seconds=150.0,
    )


if __name__ == "__main__":
    sys.exit(main())
