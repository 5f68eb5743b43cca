"""Child processes that never outlive their owner, however it ends.

One small guard process per `Lifetime` reads a pipe whose only lasting writer is the owner. When
the owner is gone, by SIGKILL too, the kernel closes the pipe and the guard kills the process
groups that are registered. A child registers itself, before it becomes the program asked for, so
no moment is left in which an owner can die and leave a child unknown.

Why not PR_SET_PDEATHSIG: it follows the thread that forked rather than the process, it reaches no
grandchildren, and only Linux has it (https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html).

This file is also the guard's program, run as a script: it imports the standard library alone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO

# The shell's stdin is the guard's pipe, opened for writing: it writes its own pid there, which is
# its group's too, lets go of the pipe and becomes the program. One write of a short line is atomic.
_REGISTER_THEN_EXEC = 'echo "+$$" >&0 && exec "$@" </dev/null'


def kill_group(group: int) -> None:
    """Send SIGKILL to every process of `group`; a group that is gone already is fine."""
    # macOS answers EPERM where a group holds nothing but processes not yet reaped.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


class ProcessGuard:
    """Starts processes, each leading a session of its own, that all end when the owner does.

    Not safe for threads: an owner with several calls it under one lock of its own.
    """

    def __init__(self) -> None:
        """Start nothing yet: the guard starts with the first child."""
        self._guard: subprocess.Popen[bytes] | None = None
        self._live: set[int] = set()

    def spawn(
        self,
        argv: Sequence[str],
        *,
        output: int | IO[bytes],
        environ: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        pass_fds: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        """Start `argv` with stdin empty, stdout and stderr going to `output`, and guard it.

        The pid is that of the program itself, and its group's. When it has ended, hand it to
        `release`. Raises OSError where no process can be started.
        """
        process = subprocess.Popen(
            ("/bin/sh", "-c", _REGISTER_THEN_EXEC, "sh", *argv),
            stdin=self._guard_pipe(),
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if environ is None else dict(environ),
            cwd=cwd,
            pass_fds=pass_fds,
            start_new_session=True,
        )
        self._live.add(process.pid)
        return process

    def release(self, process: subprocess.Popen[bytes]) -> None:
        """Forget a process that has ended, and kill what it left behind in its group."""
        kill_group(process.pid)
        self._live.discard(process.pid)
        if self._guard is not None:
            self._tell(self._guard, b"-", process.pid)

    def close(self) -> None:
        """Kill everything that still lives and end the guard."""
        if self._guard is not None:
            _pipe(self._guard).close()
            self._guard.wait()
            self._guard = None

    def _guard_pipe(self) -> IO[bytes]:
        """Return the pipe of a living guard; one that was killed is replaced."""
        if self._guard is None or self._guard.poll() is not None:
            self.close()
            self._guard = subprocess.Popen(
                (sys.executable, "-I", "-S", __file__),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                start_new_session=True,
            )
            for pid in self._live:
                self._tell(self._guard, b"+", pid)
        return _pipe(self._guard)

    def _tell(self, guard: subprocess.Popen[bytes], sign: bytes, pid: int) -> None:
        # A guard that was killed is found out, and replaced, by the next spawn.
        with contextlib.suppress(BrokenPipeError):
            _pipe(guard).write(b"%b%d\n" % (sign, pid))


def _pipe(guard: subprocess.Popen[bytes]) -> IO[bytes]:
    assert guard.stdin is not None
    return guard.stdin


def guard(lines: Iterable[bytes]) -> None:
    """Follow `+pid` and `-pid` lines to their end, then kill the groups that are still noted."""
    groups: set[int] = set()
    for line in lines:
        note = groups.add if line.startswith(b"+") else groups.discard
        note(int(line[1:]))
    for group in groups:
        kill_group(group)


if __name__ == "__main__":
    guard(sys.stdin.buffer)
