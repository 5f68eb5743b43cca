"""One of several receivers: `python -m webhook.processes.child INDEX DESCRIPTOR…`.

Its parent passes the listening sockets as inherited descriptors, and holds the other end of its
standard input.
"""

import os
import signal
import socket
import sys
import threading
from pathlib import Path

from prometheus_client import values

from webhook.log import capture_output, refuse
from webhook.serve import serve
from webhook.settings.errors import SettingsError
from webhook.settings.settings import ReceiverSettings


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM or the end of the parent; exit codes are those of webhook.serve."""
    capture_output()
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    try:
        settings = ReceiverSettings.from_env()
    except SettingsError as error:
        refuse(error.problems)
        return 2
    # Files by index instead of process id: a successor counts on where its predecessor ended.
    index = int(arguments[0])
    values.ValueClass = values.MultiProcessValue(lambda: index)  # type: ignore[no-untyped-call]
    listeners = [socket.socket(fileno=int(descriptor)) for descriptor in arguments[1:]]
    return serve(settings, listeners, metrics=Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]))


def _end_with_parent() -> None:
    # Not through sys.stdin, whose lock a blocked thread would hold when the interpreter ends.
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
