"""One foreign program, run within limits, of which nothing is left afterwards."""

import functools
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

PATH = "/usr/local/bin:/usr/bin:/bin"
KEPT = 8 << 10  # bytes of the end of stderr
LINE = 4 << 10  # bytes of one line of stdout; a longer one is dropped
_TICK = 0.005  # seconds between two looks at a program whose pipes are closed
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # getrusage(2) counts bytes, or kilobytes

# The limits are set between fork and exec, so the program never runs without them, and by sh, not
# by Python's preexec_fn, which may deadlock in a process with threads, nor by util-linux' prlimit,
# which macOS has not. Without -S or -H, ulimit sets soft and hard limit alike: ffmpeg would trap
# SIGXCPU of a soft one and finish a short file. A limit that cannot be set is left as it is: the
# system has none of that kind (macOS: memory), or one that is tighter already.
_LAUNCHER = """
limit() { ulimit "$@" 2>/dev/null || :; }
limit -c 0; limit -t "$1"; limit -f "$2"; limit -n "$3"; limit -v "$4"; nice=$5
shift 5
command -v nice >/dev/null && set -- nice -n "$nice" "$@"
exec "$@"
"""

_FATAL = frozenset(
    {
        signal.SIGILL,
        signal.SIGABRT,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGKILL,
        signal.SIGSEGV,
        signal.SIGXCPU,
        signal.SIGXFSZ,
        signal.SIGSYS,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the program may use.

    `memory` and `file_size` (of each file it writes) in bytes, `cpu` in seconds of processor time,
    `wall` and `stall` (without progress) in seconds, `niceness` as nice(1) has it.
    """

    memory: int = 2 << 30
    file_size: int = 1 << 30
    cpu: int = 600
    open_files: int = 64
    wall: float = 300.0
    stall: float = 20.0
    niceness: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How it ended: exit code (a signal's number, negated), which clock cut it, end of stderr."""

    code: int
    cut: Literal["wall", "stall"] | None
    stderr: str
    used: "Used"


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What a program took: processor and wall time in seconds, peak memory in bytes.

    On Linux `memory` is never less than the worker's own when it started the program: the kernel
    counts from before exec (getrusage(2), ru_maxrss).
    """

    cpu: float
    wall: float
    memory: int


def run(
    command: Sequence[str],
    *,
    cwd: Path,
    limits: Limits,
    stdin: IO[bytes] | None = None,
    watch: Callable[[str], bool] = bool,
    wrapper: Sequence[str] = (),
) -> Ended:
    """Run `command` in its own session, with no environment but LANG and PATH, until it ends.

    `wrapper` is a command that takes another: what walls the program off.
    `watch` takes each line of its standard output and says whether that is progress. When this
    returns or raises, the program and all that it started in its process group are gone.
    """
    process = subprocess.Popen(
        # setpriv comes last: a new user namespace makes the kernel forget the signal it sets.
        [*_launcher(limits), *wrapper, *_dies_with_us(), *command],
        stdin=stdin or subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env={"LANG": "C.UTF-8", "PATH": PATH},
        start_new_session=True,
    )
    begun = time.monotonic()
    with process:
        try:
            tail, cut = _attend(process, limits, watch)
        finally:
            # The leader is not reaped yet: its number still names its group.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
    used = Used(
        cpu=usage.ru_utime + usage.ru_stime,
        wall=time.monotonic() - begun,
        memory=usage.ru_maxrss * _RSS_UNIT,
    )
    return Ended(
        code=_unwrapped(process.returncode) if wrapper else process.returncode,
        cut=cut,
        stderr=tail.decode("utf-8", "replace"),
        used=used,
    )


def _unwrapped(code: int) -> int:
    """The code without the wrapper, which tells its program's fatal signal as a shell does."""
    number = code - 128
    return -number if number in _FATAL else code


def _has_ended(pid: int) -> bool:
    """Whether the child has ended; it stays unreaped, so that its number is not given anew.

    Asked of a program whose pipes are closed. Where it cannot be known without reaping it (macOS),
    that counts as its end: the kernel closes them when the exit code stands already.
    """
    if not hasattr(os, "waitid"):
        return True
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def _launcher(limits: Limits) -> list[str]:
    blocks, kilobytes = limits.file_size // 512, limits.memory // 1024  # ulimit's units (POSIX)
    numbers = (limits.cpu, blocks, limits.open_files, kilobytes, limits.niceness)
    return ["/bin/sh", "-c", _LAUNCHER, "sh", *map(str, numbers)]


@functools.cache
def _dies_with_us() -> tuple[str, ...]:
    """Linux ends the program when the thread that started it ends (PR_SET_PDEATHSIG).

    Where util-linux' setpriv is missing or too old, a program whose worker was killed lives until
    its processor time is used up.
    """
    wrapper = ("setpriv", "--pdeathsig", "KILL")
    try:
        subprocess.run(
            [*wrapper, "true"], check=True, capture_output=True, timeout=10, env={"PATH": PATH}
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return wrapper


def _attend(
    process: "subprocess.Popen[bytes]", limits: Limits, watch: Callable[[str], bool]
) -> tuple[bytes, Literal["wall", "stall"] | None]:
    """Read both pipes until they are closed and the program has ended, or a clock runs out."""
    assert process.stdout is not None
    assert process.stderr is not None
    begun = moved = time.monotonic()
    tail, line = b"", b""
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ)
        ready.register(process.stderr, selectors.EVENT_READ)
        while True:
            ends, stalls = begun + limits.wall, moved + limits.stall
            if (left := min(ends, stalls) - time.monotonic()) <= 0:
                return tail, "wall" if ends <= stalls else "stall"
            if not ready.get_map():
                if _has_ended(process.pid):
                    return tail, None
                time.sleep(min(left, _TICK))
                continue
            for key, _ in ready.select(left):
                if not (data := os.read(key.fd, 1 << 16)):
                    ready.unregister(key.fileobj)
                elif key.fileobj is process.stderr:
                    tail = (tail + data)[-KEPT:]
                else:
                    *lines, line = (line + data).split(b"\n")
                    line = line if len(line) <= LINE else b""
                    moves = [watch(text.decode("utf-8", "replace")) for text in lines]
                    if any(moves):
                        moved = time.monotonic()
