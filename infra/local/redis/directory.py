"""What an embedded Redis keeps on disk: its data, configuration, log, and the lock on them."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from infra.local.redis.binary import RedisNotStarted

REDIS_CONF = Path(__file__).parents[2] / "redis.conf"

_LOG_LINES = 10


class RedisDirectory:
    """A directory that belongs to one server at a time."""

    def __init__(self, path: Path) -> None:
        """Make the directory if need be, for the owner's eyes only, and lock it.

        Raises RedisNotStarted if another server has it or it cannot be written.
        """
        self.path = path.resolve()
        self.log = self.path / "redis.log"
        self.configuration = self.path / "redis.conf"
        self._log_began = 0
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            self._lock: int | None = os.open(self.path / "redis.lock", flags, 0o600)
        except OSError as error:
            raise RedisNotStarted(
                f"Redis cannot keep its data in {path}: {error.strerror}. Make it writable or "
                "choose another directory."
            ) from error
        self._claim(self._lock)

    @property
    def lock(self) -> int:
        """The locked descriptor. The server inherits it, so that the lock lives as long as it."""
        assert self._lock is not None, f"{self.path} has been released"
        return self._lock

    def configure(self, *, port: int, password: str) -> None:
        """Write the configuration: infra/redis.conf, then what is this server's own."""
        self.configuration.unlink(missing_ok=True)
        self.configuration.touch(mode=0o600)  # it holds the password
        directory = str(self.path).replace("\\", "\\\\").replace('"', '\\"')
        self.configuration.write_text(
            f"{REDIS_CONF.read_text()}\n# --- This server ---\n\n"
            f'dir "{directory}"\nbind 127.0.0.1\nport {port}\nrequirepass {password}\n'
        )

    def begin_log(self) -> None:
        """Let `last_lines` begin here."""
        self.log.touch(mode=0o600)
        self._log_began = self.log.stat().st_size

    def last_lines(self) -> tuple[str, ...]:
        """Return the end of what was logged since `begin_log`."""
        with self.log.open("rb") as log:
            log.seek(self._log_began)
            return tuple(log.read().decode(errors="replace").splitlines()[-_LOG_LINES:])

    def release(self) -> None:
        """Give the directory up to others. A second call does nothing."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _claim(self, lock: int) -> None:
        # Two servers that append to one file would destroy it.
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.release()
            raise RedisNotStarted(
                f"Another embedded Redis runs in {self.path}: end it, or use another directory."
            ) from error
