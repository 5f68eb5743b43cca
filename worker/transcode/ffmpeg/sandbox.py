"""One foreign program, run within limits, of which nothing is left afterwards."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from worker.transcode.ffmpeg.limits import PATH, ResourceLimits, Used, dies_with_us, launcher
from worker.transcode.ffmpeg.watchdog import Cut, Watchdog

if TYPE_CHECKING:
    import resource

__all__ = ["ProcessResult", "ResourceLimits", "Used", "run"]

# glibc reserves 64 MB of addresses for each thread that allocates, which count as memory.
_ENVIRONMENT = {"LANG": "C.UTF-8", "PATH": PATH, "MALLOC_ARENA_MAX": "2"}
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # getrusage(2) counts bytes, or kilobytes
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
class ProcessResult:
    """How it ended: exit code (a signal's number, negated), which clock cut it, end of stderr."""

    code: int
    cut: Cut | None
    stderr: str
    used: Used


def run(
    command: Sequence[str],
    *,
    cwd: Path,
    limits: ResourceLimits,
    stdin: IO[bytes] | None = None,
    watch: Callable[[str], bool] = bool,
    wrapper: Sequence[str] = (),
) -> ProcessResult:
    """Run `command` in its own session, without this environment, until it ends.

    `wrapper` is a command that takes another: what walls the program off.
    `watch` takes each line of its standard output and says whether that is progress. When this
    returns or raises, the program and all that it started in its process group are gone.
    """
    process = subprocess.Popen(
        # setpriv comes last: a new user namespace makes the kernel forget the signal it sets.
        [*launcher(limits), *wrapper, *dies_with_us(), *command],
        stdin=stdin or subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env=_ENVIRONMENT,
        start_new_session=True,
    )
    begun = time.monotonic()
    with process:
        try:
            attendant = Watchdog(process, limits, watch, cwd)
            cut = attendant.attend()
        finally:
            usage = _reap(process)
    return ProcessResult(
        code=_unwrapped(process.returncode) if wrapper else process.returncode,
        cut=cut,
        stderr=attendant.tail.decode("utf-8", "replace"),
        used=_used(usage, time.monotonic() - begun),
    )


def _reap(process: "subprocess.Popen[bytes]") -> "resource.struct_rusage":
    """The program and its group are gone, `process.returncode` stands; what it used."""
    # The leader is not reaped yet: its number still names its group.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage


def _used(usage: "resource.struct_rusage", wall: float) -> Used:
    cpu = usage.ru_utime + usage.ru_stime
    return Used(cpu=cpu, wall=wall, memory=usage.ru_maxrss * _RSS_UNIT)


def _unwrapped(code: int) -> int:
    """The code without the wrapper, which tells its program's fatal signal as a shell does."""
    number = code - 128
    return -number if number in _FATAL else code
