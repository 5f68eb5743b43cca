"""What a foreign program may use, what it used, and the commands that hold it to that."""

import functools
import subprocess
from dataclasses import dataclass

PATH = "/usr/local/bin:/usr/bin:/bin"

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
class Used:
    """What a program took: processor and wall time in seconds, peak memory in bytes.

    On Linux `memory` is never less than the worker's own when it started the program: the kernel
    counts from before exec (getrusage(2), ru_maxrss).
    """

    cpu: float
    wall: float
    memory: int


def launcher(limits: Limits) -> list[str]:
    """The command that goes before a program, and holds it to its limits."""
    blocks, kilobytes = limits.file_size // 512, limits.memory // 1024  # ulimit's units (POSIX)
    numbers = (limits.cpu, blocks, limits.open_files, kilobytes, limits.niceness)
    return ["/bin/sh", "-c", _LAUNCHER, "sh", *map(str, numbers)]


@functools.cache
def dies_with_us() -> tuple[str, ...]:
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
