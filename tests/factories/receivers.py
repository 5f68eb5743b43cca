"""`python -m webhook`."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from infra.local.supervisor.process_guard import ProcessGuard
from tests.bench.programs import free_port
from tests.factories.running_server import RunningServer


@contextmanager
def receiver(environ: Mapping[str, str], **changes: str) -> Iterator[RunningServer]:
    """Run a receiver until the block ends; yield it once every process has started."""
    port = free_port()
    guard = ProcessGuard()
    process = guard.spawn(
        [sys.executable, "-m", "webhook"],
        output=subprocess.PIPE,
        environ={**environ, **changes, "PORT": str(port)},
    )
    try:
        started = RunningServer(process, port)
        started.wait_for("receiver.started", int(changes.get("WEB_CONCURRENCY", "1")))
        yield started
    finally:
        process.terminate()
        process.wait(40)
        guard.close()
