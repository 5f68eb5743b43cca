"""Notes the turns of this process's main loop and what the threads of its pool are at."""

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from webhook.log import get_logger
from worker.liveness.beat_file import Beat, Step, overdue, path_of, write

# Seconds between two beats of an idle main loop.
EVERY = 5.0
# Unless a task says otherwise: seconds that one message may take.
MOST = 600.0

log = get_logger()


class Beats:
    """The beats of this process; `directory` is None where nobody reads them.

    The main loop alone writes the file: a thread of its own would go on where the loop is stuck.
    `clock` is monotonic seconds.
    """

    def __init__(
        self, directory: Path | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._path: str | None = None
        self._running: dict[int, Step] = {}
        self._broker: float | None = None
        self._redis: float | None = None
        self._watchdog = _watchdog()
        self._unwritten = False

    @property
    def wanted(self) -> bool:
        """Whether anybody looks at the beats: a probe, or systemd."""
        return self._directory is not None or self._watchdog is not None

    def name(self, process: str) -> None:
        """Set the name of this process, by which its file is called."""
        if self._directory is not None:
            self._path = path_of(str(self._directory), process)

    def begin(self, task: str, most: float = MOST) -> None:
        """Note that this thread has begun with a message, which takes at most `most` seconds."""
        self._running[threading.get_ident()] = (task, self._clock(), most)

    def go_on(self) -> None:
        """Note that this thread is not stuck, though its message may take for ever."""
        thread = threading.get_ident()
        if (step := self._running.get(thread)) is not None:
            task, _, most = step
            self._running[thread] = (task, self._clock(), most)

    def end(self) -> None:
        """Note that this thread has ended its message."""
        self._running.pop(threading.get_ident(), None)

    def redis_answered(self) -> None:
        """Note that the Redis of the records has answered."""
        self._redis = self._clock()

    def turn(self, *, broker: bool) -> None:
        """Note a turn of the main loop; `broker`: with an open connection to the broker."""
        now = self._clock()
        if broker:
            self._broker = now
        self._write(stopping=False)
        if self._watchdog is not None and not any(overdue(self._steps(), now)):
            _tell(self._watchdog)

    def stop(self) -> None:
        """Note that the main loop ends, and the process once its steps are over."""
        self._write(stopping=True)

    def remove(self) -> None:
        """Remove the file: the process ends."""
        if self._path is not None:
            with suppress(OSError):
                Path(self._path).unlink()
            self._path = None

    def _steps(self) -> list[Step]:
        return list(self._running.values())

    def _write(self, *, stopping: bool) -> None:
        if self._path is None:
            return
        beat = Beat(
            loop=self._clock(),
            broker=self._broker,
            redis=self._redis,
            stopping=stopping,
            steps=self._steps(),
        )
        try:
            write(self._path, beat)
        except OSError as error:
            # A disk that is full for a moment must not end the loop; the probe sees the rest.
            if not self._unwritten:
                log.warning("heartbeat.unwritten", error=error)
            self._unwritten = True
        else:
            self._unwritten = False


def _watchdog() -> str | None:
    """Return the address of systemd if it waits for beats: WatchdogSec is set."""
    waits = os.environ.get("WATCHDOG_PID", "") == str(os.getpid())
    return os.environ.get("NOTIFY_SOCKET") if waits else None


def _tell(address: str) -> None:
    """Send systemd a beat: sd_notify(3)."""
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        # An address that begins with @ is an abstract one.
        sender.sendto(b"WATCHDOG=1", address.replace("@", "\0", 1))
