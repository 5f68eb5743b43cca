"""An embedded Redis: real, durable, in a directory of its own, ended with its owner.

It listens on a free loopback port behind a random password, since that is the one kind of URL
that serves everybody: a unix socket is `unix://` to redis-py and `redis+socket://` to Celery, and
neither understands the other's. The password keeps other users of the machine out and proves that
the server answering on the port is the one started here. It stands in a file that only the owner
can read, never on the command line, where `ps` would show it.
"""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterable
from pathlib import Path

from infra.local.ports import ports_to_try
from infra.local.redis.binary import RedisNotStarted, find_binary
from infra.local.redis.directory import RedisDirectory
from infra.local.redis.readiness import answers
from infra.local.supervisor.process_guard import ProcessGuard

__all__ = ("RedisNotStarted", "RedisServer")

_PORTS_TRIED = 20
_START_SECONDS = 30.0  # includes reading the append-only file back
_STOP_SECONDS = 5.0


class _PortTaken(RedisNotStarted):
    """Another process listens on the port."""


class RedisServer:
    """A redis-server that runs; as a context manager it is stopped at the end."""

    def __init__(self, directory: Path, binary: Path) -> None:
        """Claim `directory`; `start` is what makes a running one."""
        self._directory = RedisDirectory(directory)
        self._binary = binary
        self._password = secrets.token_hex(16)
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._lifetime = ProcessGuard()

    @classmethod
    def start(
        cls, directory: Path, *, binary: Path | None = None, ports: Iterable[int] | None = None
    ) -> RedisServer:
        """Start a server that keeps its data in `directory` and return once it answers.

        What an earlier server left in `directory` is there again. `ports` are tried in turn.
        Raises RedisNotStarted, with the last lines of the server's log if it ended.
        """
        server = cls(directory, binary or find_binary())
        try:
            server._listen(ports_to_try(_PORTS_TRIED) if ports is None else ports)
        except BaseException:
            server.stop()
            raise
        return server

    @property
    def url(self) -> str:
        """The URL for redis-py, Celery and redis-cli alike. It holds the password."""
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    @property
    def pid(self) -> int:
        """The pid of the server that runs, or ran last."""
        assert self._process is not None
        return self._process.pid

    @property
    def directory(self) -> Path:
        """Where the data, the configuration and the log (redis.log) are."""
        return self._directory.path

    def ended(self, within: float) -> bool:
        """Say whether the server has ended, waiting `within` seconds for it to."""
        assert self._process is not None
        try:
            self._process.wait(within)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """End the server by SIGKILL, as a crash would; `restart` brings it back."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._lifetime.release(self._process)

    def restart(self) -> None:
        """Start again on the same port and data, ending the server first if it runs.

        Raises RedisNotStarted, for instance where the port has been taken meanwhile.
        """
        self._terminate()
        self._launch()

    def stop(self, grace: float = _STOP_SECONDS) -> None:
        """End the server for good and give its directory up. A second call does nothing.

        SIGTERM first, SIGKILL after `grace` seconds.
        """
        self._terminate(grace)
        self._lifetime.close()
        self._directory.release()

    def __enter__(self) -> RedisServer:
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
        raise RedisNotStarted(f"No port on 127.0.0.1 was free for Redis, last tried {self._port}.")

    def _launch(self) -> None:
        self._directory.configure(port=self._port, password=self._password)
        self._directory.begin_log()
        with self._directory.log.open("ab") as log:
            self._process = self._lifetime.spawn(
                (str(self._binary), str(self._directory.configuration)),
                output=log,
                pass_fds=(self._directory.lock,),
            )
        if not answers(self.url, self._process, within=_START_SECONDS):
            self._lifetime.release(self._process)
            raise self._reason(self._process.returncode)

    def _reason(self, code: int) -> RedisNotStarted:
        lines = self._directory.last_lines()
        taken = any("Failed listening on port" in line for line in lines)
        return (_PortTaken if taken else RedisNotStarted)(
            f"{self._binary} did not come up on 127.0.0.1:{self._port} (exit code {code}, "
            f"{_START_SECONDS:.0f} s allowed). The end of {self._directory.log}:\n"
            + "\n".join(f"  {line}" for line in lines)
        )
