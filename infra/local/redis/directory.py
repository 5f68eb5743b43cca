"""The directory of an embedded Redis: its data, configuration, log and lock."""

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path

from infra.local.redis.binary import RedisNotStarted

REDIS_CONF = Path(__file__).parents[2] / "redis.conf"

_LOG_LINES = 10


class RedisDirectory:
    """A directory that one server uses at a time."""

    def __init__(self, path: Path) -> None:
        """Create the directory if it is missing, readable by the owner only, and lock it.

        Raise RedisNotStarted if another server uses it or it cannot be written.
        """
        self.path = path.resolve()
        self.log = self.path / "redis.log"
        self.configuration = self.path / "redis.conf"
        self._log_start = 0
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            self._lock: int | None = os.open(self.path / "redis.lock", flags, 0o600)
        except OSError as error:
            raise RedisNotStarted(
                f"Redis cannot store its data in {path}: {error.strerror}. Make it writable or "
                "choose another directory."
            ) from error
        self._claim(self._lock)

    @property
    def lock(self) -> int:
        """Return the locked descriptor. The server inherits it, so the lock lasts while it runs."""
        assert self._lock is not None, f"{self.path} has been released"
        return self._lock

    def configure(self, *, port: int, password: str, further: Sequence[str] = ()) -> None:
        """Write the configuration: infra/redis.conf, this server's settings, `further` lines."""
        self.configuration.unlink(missing_ok=True)
        self.configuration.touch(mode=0o600)  # it holds the password
        directory = str(self.path).replace("\\", "\\\\").replace('"', '\\"')
        self.configuration.write_text(
            f"{REDIS_CONF.read_text()}\n# --- This server ---\n\n"
            f'dir "{directory}"\nbind 127.0.0.1\nport {port}\nrequirepass {password}\n'
            + "".join(f"{line}\n" for line in further)
        )

    def begin_log(self) -> None:
        """Make `last_lines` ignore what has been logged so far."""
        self.log.touch(mode=0o600)
        self._log_start = self.log.stat().st_size

    def last_lines(self) -> tuple[str, ...]:
        """Return the last lines logged since `begin_log`."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return tuple(log.read().decode(errors="replace").splitlines()[-_LOG_LINES:])

    def release(self) -> None:
        """Unlock the directory. A second call does nothing."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _claim(self, lock: int) -> None:
        # Two servers that append to the same file would destroy it.
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.release()
            raise RedisNotStarted(
                f"{self.path} is used by another embedded Redis: stop it or use another directory."
            ) from error
