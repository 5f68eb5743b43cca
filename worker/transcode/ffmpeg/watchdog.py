"""Whoever sits by a program while it runs: reads what it says, and looks at the clocks."""

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
_TICK = 0.005  # seconds between two looks at a program whose pipes are closed

Cut = Literal["wall", "stall"]


class Watchdog:
    """Attends one program, from its start on; `tail` is the end of what it said on stderr."""

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        limits: ResourceLimits,
        watch: Callable[[str], bool],
        directory: Path,
    ) -> None:
        """`watch` takes each line of standard output and says whether that is progress.

        So is more that lies in `directory`: ffmpeg tells none until its last output has begun.
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
        """Read both pipes until they are closed and the program has ended, or a clock runs out."""
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        with selectors.DefaultSelector() as ready:
            ready.register(self._process.stdout, selectors.EVENT_READ, self._take_stdout)
            ready.register(self._process.stderr, selectors.EVENT_READ, self._take_stderr)
            while True:
                left, cut = self._left()
                if left <= 0:
                    if cut == "stall" and self._has_written():
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

    def _left(self) -> tuple[float, Cut]:
        """The seconds until a clock runs out, and which one that is."""
        ends, stalls = self._begun + self._limits.wall, self._moved + self._limits.stall
        return min(ends, stalls) - time.monotonic(), "wall" if ends <= stalls else "stall"

    def _has_written(self) -> bool:
        """Whether the program's files have grown since this was asked last: then it has moved."""
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
    found = 0
    for path in directory.iterdir():
        with suppress(FileNotFoundError):  # the program may rename its files
            found += path.lstat().st_size
    return found


def _has_ended(pid: int) -> bool:
    """Whether the child has ended; it stays unreaped, so that its number is not given anew.

    Asked of a program whose pipes are closed. Where it cannot be known without reaping it (macOS),
    that counts as its end: the kernel closes them when the exit code stands already.
    """
    if not hasattr(os, "waitid"):
        return True
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
