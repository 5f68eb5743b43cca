"""A guard that kills child processes when their owner ends, even by SIGKILL.

Each `ProcessGuard` has one small guard process, which reads a pipe whose only permanent writer is
the owner. When the owner ends, the kernel closes the pipe and the guard kills the registered
process groups. A child registers itself before it becomes the requested program, so an owner
cannot die between starting a child and registering it.

PR_SET_PDEATHSIG does not suffice: it is bound to the thread that forked instead of the process,
it does not reach grandchildren, and only Linux has it (https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html).

The guard process runs this file as a script, so it imports only the standard library.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO

# The shell's stdin is the guard's pipe, opened for writing. The shell writes its pid there, which
# is also its group's id, closes the pipe and becomes the program. Writing a short line is atomic.
_REGISTER_THEN_EXEC = 'echo "+$$" >&0 && exec "$@" </dev/null'


def kill_group(group: int) -> None:
    """Send SIGKILL to every process of `group`; do nothing if it has ended."""
    # macOS reports EPERM for a group of which only unreaped processes are left.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


class ProcessGuard:
    """A starter of processes that end with their owner; each process leads its own session.

    Not safe for threads: callers in several threads need a lock.
    """

    def __init__(self) -> None:
        """Prepare the guard; its process starts with the first child."""
        self._guard: subprocess.Popen[bytes] | None = None
        self._pids: set[int] = set()

    def spawn(
        self,
        argv: Sequence[str],
        *,
        output: int | IO[bytes],
        environ: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        pass_fds: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        """Start `argv` under guard, with empty stdin, and stdout and stderr written to `output`.

        The returned pid is the program's own and its group's id. Pass the process to `release`
        when it has ended. Raise OSError if no process can be started.
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
        self._pids.add(process.pid)
        return process

    def release(self, process: subprocess.Popen[bytes]) -> None:
        """Forget a process that has ended, and kill the rest of its group."""
        kill_group(process.pid)
        self._pids.discard(process.pid)
        if self._guard is not None:
            self._send(self._guard, b"-", process.pid)

    def close(self) -> None:
        """Kill every remaining process and stop the guard process."""
        if self._guard is not None:
            _pipe(self._guard).close()
            self._guard.wait()
            self._guard = None

    def _guard_pipe(self) -> IO[bytes]:
        """Return the pipe of the guard process; start a new one if it was killed."""
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
            for pid in self._pids:
                self._send(self._guard, b"+", pid)
        return _pipe(self._guard)

    def _send(self, guard: subprocess.Popen[bytes], sign: bytes, pid: int) -> None:
        # The next `spawn` detects and replaces a guard that was killed.
        with contextlib.suppress(BrokenPipeError):
            _pipe(guard).write(b"%b%d\n" % (sign, pid))


def _pipe(guard: subprocess.Popen[bytes]) -> IO[bytes]:
    assert guard.stdin is not None
    return guard.stdin


def run_guard(lines: Iterable[bytes]) -> None:
    """Read `+pid` and `-pid` lines until they end, then kill the groups still registered."""
    groups: set[int] = set()
    for line in lines:
        update = groups.add if line.startswith(b"+") else groups.discard
        update(int(line[1:]))
    for group in groups:
        kill_group(group)


if __name__ == "__main__":
    run_guard(sys.stdin.buffer)
