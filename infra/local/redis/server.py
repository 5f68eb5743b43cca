"""An embedded Redis or Valkey: a real, durable server in its own directory, ends with its owner.

It listens on a free loopback port, because redis-py and Celery accept the same URL only for TCP: a
unix socket is `unix://` to redis-py and `redis+socket://` to Celery. A random password keeps other
users of the machine out, and proves that the server on the port is the one started here. The
password is in a file that only the owner can read, not on the command line, where `ps` shows it.
"""

import secrets
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

from infra.local.ports import ports_to_try
from infra.local.redis.binary import RedisNotStarted
from infra.local.redis.data_version import claim_data
from infra.local.redis.directory import RedisDirectory
from infra.local.redis.readiness import wait_until_ready
from infra.local.supervisor.process_guard import ProcessGuard
from infra.local.supervisor.restart_policy import describe_exit

__all__ = ("RedisNotStarted", "RedisServer")

_PORTS_TRIED = 20
_START_SECONDS = 30.0  # includes loading the append-only file
_STOP_SECONDS = 5.0


class _PortTaken(RedisNotStarted):
    """Another process is listening on the port."""


class RedisServer:
    """A running server; as a context manager it stops at the end of the block."""

    def __init__(
        self,
        directory: Path,
        *,
        binary: Path | None = None,
        password: str | None = None,
        configuration: Sequence[str] = (),
        arguments: Sequence[str] = (),
    ) -> None:
        """Lock `directory` and choose the program. Use `start` to get a running server."""
        self._directory = RedisDirectory(directory)
        try:
            self._binary = claim_data(self._directory.path, binary)
        except BaseException:
            self._directory.release()
            raise
        self._password = password or secrets.token_hex(16)
        self._configuration = configuration
        self._arguments = arguments
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._guard = ProcessGuard()

    @classmethod
    def start(
        cls,
        directory: Path,
        *,
        binary: Path | None = None,
        ports: Iterable[int] | None = None,
        password: str | None = None,
        configuration: Sequence[str] = (),
        arguments: Sequence[str] = (),
    ) -> Self:
        """Start a server that stores its data in `directory`; return once it answers.

        Data of an earlier server in `directory` is loaded; `claim_data` says by which program.
        `ports` are tried in turn. The password is a random one by default. `configuration` holds
        further lines of the configuration, `arguments` of the command line. Raise RedisNotStarted
        if the program cannot read the data, and with the last lines of the server's log if it
        ended.
        """
        server = cls(
            directory,
            binary=binary,
            password=password,
            configuration=configuration,
            arguments=arguments,
        )
        try:
            server._listen(ports_to_try(_PORTS_TRIED) if ports is None else ports)
        except BaseException:
            server.stop()
            raise
        return server

    @property
    def url(self) -> str:
        """Return the URL for redis-py, Celery and redis-cli. It contains the password."""
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    @property
    def port(self) -> int:
        """Return the port on 127.0.0.1."""
        return self._port

    @property
    def password(self) -> str:
        """Return the password of the default user."""
        return self._password

    @property
    def pid(self) -> int:
        """Return the pid of the running server, or of the last one."""
        assert self._process is not None
        return self._process.pid

    @property
    def directory(self) -> Path:
        """Return the directory of the data, the configuration and the log (redis.log)."""
        return self._directory.path

    def ended(self, within: float) -> bool:
        """Wait up to `within` seconds; return whether the server has ended."""
        assert self._process is not None
        try:
            self._process.wait(within)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """Kill the server with SIGKILL, which acts like a crash; `restart` starts it again."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._guard.release(self._process)

    def restart(self) -> None:
        """Stop the server if it is running, then start it on the same port and data.

        Raise RedisNotStarted, for example if another process has taken the port.
        """
        self._terminate()
        self._launch()

    def stop(self, grace: float = _STOP_SECONDS) -> None:
        """Stop the server and unlock its directory. A second call does nothing.

        Send SIGTERM, then SIGKILL after `grace` seconds.
        """
        self._terminate(grace)
        self._guard.close()
        self._directory.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _terminate(self, grace: float = _STOP_SECONDS) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(grace)
            except subprocess.TimeoutExpired:
                self._process.kill()
            self.kill()

    def _listen(self, ports: Iterable[int]) -> None:
        for port in ports:
            self._port = port
            try:
                return self._launch()
            except _PortTaken:
                continue
        raise RedisNotStarted(f"No port on 127.0.0.1 was free for Redis; last tried {self._port}.")

    def _launch(self) -> None:
        self._directory.configure(
            port=self._port, password=self._password, further=self._configuration
        )
        self._directory.begin_log()
        with self._directory.log.open("ab") as log:
            self._process = self._guard.spawn(
                (str(self._binary), str(self._directory.configuration), *self._arguments),
                output=log,
                pass_fds=(self._directory.lock,),
            )
        if not wait_until_ready(self.url, self._process, within=_START_SECONDS):
            self._guard.release(self._process)
            raise self._start_error(self._process.returncode)

    def _start_error(self, code: int) -> RedisNotStarted:
        lines = self._directory.last_lines()
        taken = any("Failed listening on port" in line for line in lines)
        return (_PortTaken if taken else RedisNotStarted)(
            f"{self._binary} did not start on 127.0.0.1:{self._port}: it {describe_exit(code)} "
            f"({_START_SECONDS:.0f} s allowed). Last lines of {self._directory.log}:\n"
            + "\n".join(f"  {line}" for line in lines)
        )
