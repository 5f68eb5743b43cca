"""A RabbitMQ for the tests, if Debian's package rabbitmq-server is installed."""

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from infra.local.supervisor.process_guard import ProcessGuard

PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
MISSING = f"{PROGRAM} is missing (Debian: apt-get install rabbitmq-server)"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def rabbitmq_server(directory: Path) -> Iterator[str]:
    """Run a broker with its data in `directory` until the block ends; yield its URL."""
    port, distribution_port, epmd_port = _free_port(), _free_port(), _free_port()
    (directory / "plugins").write_text("[].")
    environ = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(directory),
        "ERL_EPMD_PORT": str(epmd_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"falhook-{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(distribution_port),
        "RABBITMQ_MNESIA_BASE": str(directory / "data"),
        "RABBITMQ_LOG_BASE": str(directory),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_PID_FILE": str(directory / "pid"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "plugins"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": str(directory / "none"),
    }
    guard = ProcessGuard()
    # Erlang would otherwise start its name server as a daemon that is never stopped.
    name_server = guard.spawn(
        ("epmd", "-port", str(epmd_port)), output=subprocess.DEVNULL, environ=environ
    )
    broker = guard.spawn((str(PROGRAM),), output=subprocess.PIPE, environ=environ)
    assert broker.stdout is not None
    reader = threading.Thread(target=broker.stdout.read)
    try:
        _await_start(broker.stdout)
        reader.start()
        yield f"amqp://guest:guest@127.0.0.1:{port}//"
        broker.terminate()
        broker.wait(30)
    finally:
        guard.close()
        broker.wait()
        name_server.wait()
        reader.join()
        broker.stdout.close()


def _await_start(output: IO[bytes]) -> None:
    lines: list[str] = []
    for line in output:
        lines.append(line.decode(errors="replace"))
        if b"Server startup complete" in line:
            return
    raise RuntimeError("RabbitMQ did not start:\n" + "".join(lines[-20:]))
