"""Runs one untrusted program within limits, and kills its whole process group at the end."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from worker.transcode.ffmpeg.limits import PATH, ResourceLimits, dies_with_us, launcher
from worker.transcode.ffmpeg.usage import ResourceUsage, peak_memory
from worker.transcode.ffmpeg.watchdog import Cut, Watchdog

if TYPE_CHECKING:
    import resource

# glibc reserves 64 MB of addresses for each thread that allocates, which count as memory.
_ENVIRONMENT = {"LANG": "C.UTF-8", "PATH": PATH, "MALLOC_ARENA_MAX": "2"}
_SIGNALS = 32  # above the numbers of all signals but real-time ones


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessResult:
    """The exit code (negative for a signal), the deadline that ended it, the end of stderr."""

    code: int
    cut: Cut | None
    stderr: str
    usage: ResourceUsage


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

    `wrapper` is a command that runs another one in isolation. `watch` is called with each line of
    standard output, and returns whether that is progress. When this returns or raises, the program
    and its whole process group are gone.
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
            watchdog = Watchdog(process, limits, watch, cwd)
            cut = watchdog.attend()
        finally:
            kernel_usage = _reap(process)
    return ProcessResult(
        code=_unwrapped(process.returncode) if wrapper else process.returncode,
        cut=cut,
        stderr=watchdog.tail.decode("utf-8", "replace"),
        usage=_usage(kernel_usage, time.monotonic() - begun),
    )


def _reap(process: "subprocess.Popen[bytes]") -> "resource.struct_rusage":
    """Kill the program's group, reap the program and set its return code; return its usage."""
    # The leader is not reaped yet, so its number still identifies the group.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage


def _usage(usage: "resource.struct_rusage", wall: float) -> ResourceUsage:
    cpu = usage.ru_utime + usage.ru_stime
    return ResourceUsage(cpu=cpu, wall=wall, memory=peak_memory(usage))


def _unwrapped(code: int) -> int:
    """Return the program's code; its wrapper reports a signal that ended it as a shell does.

    No exit code of ffmpeg's own is taken for one: those would be errors of the network.
    """
    number = code - 128
    return -number if 0 < number < _SIGNALS else code
