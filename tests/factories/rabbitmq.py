"""A RabbitMQ for the tests, if Debian's package rabbitmq-server is installed."""

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from infra.local.supervisor.process_guard import ProcessGuard

PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
MISSING = f"{PROGRAM} is missing (Debian: apt-get install rabbitmq-server)"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class RabbitMQ:
    """A broker with its data in a directory; it can be killed and started again."""

    def __init__(self, directory: Path) -> None:
        port, distribution_port, epmd_port = _free_port(), _free_port(), _free_port()
        (directory / "plugins").write_text("[].")
        self.url = f"amqp://guest:guest@127.0.0.1:{port}//"
        self._environ = {
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
        self._guard = ProcessGuard()
        # Erlang would otherwise start its name server as a daemon that is never stopped.
        self._name_server = self._guard.spawn(
            ("epmd", "-port", str(epmd_port)), output=subprocess.DEVNULL, environ=self._environ
        )

    def start(self) -> None:
        """Start the broker; return once it takes connections."""
        self._broker = self._guard.spawn(
            (str(PROGRAM),), output=subprocess.PIPE, environ=self._environ
        )
        assert self._broker.stdout is not None
        self._output = self._broker.stdout
        self._reader = threading.Thread(target=self._output.read)
        _await_start(self._output)
        self._reader.start()

    def kill(self) -> None:
        """SIGKILL the broker; `start` starts it again on its data."""
        self._guard.release(self._broker)
        self._broker.wait()
        self._reader.join()
        self._output.close()

    def stop(self) -> None:
        """Stop everything."""
        self._broker.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._broker.wait(30)
        self.kill()
        self._guard.close()
        self._name_server.wait()


@contextmanager
def rabbitmq_server(directory: Path) -> Iterator[str]:
    """Run a broker with its data in `directory` until the block ends; yield its URL."""
    with rabbitmq(directory) as broker:
        yield broker.url


@contextmanager
def rabbitmq(directory: Path) -> Iterator[RabbitMQ]:
    """Run a broker that can be killed until the block ends."""
    broker = RabbitMQ(directory)
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()


def _await_start(output: IO[bytes]) -> None:
    lines: list[str] = []
    for line in output:
        lines.append(line.decode(errors="replace"))
        if b"Server startup complete" in line:
            return
    raise RuntimeError("RabbitMQ did not start:\n" + "".join(lines[-20:]))
