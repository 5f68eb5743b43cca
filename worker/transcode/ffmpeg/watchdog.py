"""Watches a running subprocess: reads its output, enforces its deadlines."""

import os
import selectors
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

from worker.transcode.ffmpeg.limits import ResourceLimits

KEPT = 8 << 10  # bytes of the end of stderr
LINE = 4 << 10  # bytes of one line of stdout; a longer one is dropped
_TICK = 0.005  # seconds between two checks of a program whose pipes are closed

Cut = Literal["wall", "stall"]


class Watchdog:
    """Watches one program from its start; `tail` is the end of its stderr."""

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        limits: ResourceLimits,
        watch: Callable[[str], bool],
        directory: Path,
    ) -> None:
        """Start the clocks; `watch` returns whether a line of standard output is progress.

        Growth of the files in `directory` counts as progress too: ffmpeg reports none until its
        last output has begun.
        """
        self._process = process
        self._limits = limits
        self._watch = watch
        self._begun = self._moved = time.monotonic()
        self._directory = directory
        self._written = _bytes(directory)
        self._line = b""
        self.tail = b""

    def attend(self) -> Cut | None:
        """Read both pipes until the program has ended, or a deadline passes, which is returned."""
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        with selectors.DefaultSelector() as ready:
            ready.register(self._process.stdout, selectors.EVENT_READ, self._take_stdout)
            ready.register(self._process.stderr, selectors.EVENT_READ, self._take_stderr)
            while True:
                left, cut = self._time_left()
                if left <= 0:
                    if cut == "stall" and self._files_have_grown():
                        continue
                    return cut
                if not ready.get_map():
                    if _has_ended(self._process.pid):
                        return None
                    time.sleep(min(left, _TICK))
                    continue
                for key, _ in ready.select(left):
                    if data := os.read(key.fd, 1 << 16):
                        key.data(data)
                    else:
                        ready.unregister(key.fileobj)

    def _time_left(self) -> tuple[float, Cut]:
        """Return the seconds until the next deadline, and which one that is."""
        ends, stalls = self._begun + self._limits.wall, self._moved + self._limits.stall
        return min(ends, stalls) - time.monotonic(), "wall" if ends <= stalls else "stall"

    def _files_have_grown(self) -> bool:
        """Return whether the program's files have grown since the last call; note the progress."""
        before, self._written = self._written, _bytes(self._directory)
        if grown := self._written > before:
            self._moved = time.monotonic()
        return grown

    def _take_stdout(self, data: bytes) -> None:
        *lines, line = (self._line + data).split(b"\n")
        self._line = line if len(line) <= LINE else b""
        moves = [self._watch(text.decode("utf-8", "replace")) for text in lines]
        if any(moves):
            self._moved = time.monotonic()

    def _take_stderr(self, data: bytes) -> None:
        self.tail = (self.tail + data)[-KEPT:]


def _bytes(directory: Path) -> int:
    size = 0
    for path in directory.iterdir():
        with suppress(FileNotFoundError):  # the program may rename its files
            size += path.lstat().st_size
    return size


def _has_ended(pid: int) -> bool:
    """Return whether a child whose pipes are closed has ended.

    It stays unreaped, so that its number is not used again. On macOS this cannot be checked without
    reaping it; True is safe there, since the kernel sets the exit code before it closes the pipes.
    """
    if not hasattr(os, "waitid"):
        return True
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
