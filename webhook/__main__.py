"""`python -m webhook`: the receiver on uvicorn, in one process or in WEB_CONCURRENCY."""

import asyncio
import os
import socket
import sys
from collections.abc import Sequence

from webhook.log import capture_output, refuse
from webhook.processes.metrics_directory import metrics_directory
from webhook.processes.parent import Parent, child_commands
from webhook.server.sockets import BindError, listen
from webhook.settings.errors import SettingsError
from webhook.settings.settings import ReceiverSettings


def main() -> int:
    """Serve until SIGTERM and return 0; 2 if a setting is wrong, 3 if the startup failed."""
    capture_output()
    try:
        settings = ReceiverSettings.from_env()
        listeners = listen(settings.host, settings.port)
    except (SettingsError, BindError) as error:
        refuse(str(error).splitlines())
        return 2
    if settings.processes == 1:
        # The parent of several processes does not need the application.
        from webhook.serve import serve  # noqa: PLC0415

        return serve(settings, listeners)
    return _serve_in_processes(settings.processes, listeners)


def _serve_in_processes(count: int, listeners: Sequence[socket.socket]) -> int:
    with metrics_directory() as metrics:
        parent = Parent(
            child_commands(count, listeners),
            environ={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(metrics)},
            descriptors=[listener.fileno() for listener in listeners],
            metrics=metrics,
        )
        return asyncio.run(parent.run())


if __name__ == "__main__":
    sys.exit(main())
