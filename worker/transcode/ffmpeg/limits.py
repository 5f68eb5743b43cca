"""What a foreign program may use, what it used, and the commands that hold it to that."""

import functools
import math
import subprocess
from dataclasses import dataclass, replace
from typing import Self

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


# Measured with every output of HD and 4K, one thread each: 0.016 to 0.041 s of processor time for a
# million pixels of the source, 0.097 of ProRes 4444, of which each further video was 0.006 at most.
_CPU, _CPU_EACH = 0.15, 0.02
# A machine that shares its processors, or is slower than the one measured, takes longer.
_WALL = 2.0  # seconds for one of processor time
# Within broker.time_limits.LONGEST_STEP; the longest clips in 4K take 2500 s of processor time.
MOST_SECONDS = 7200
# Measured, of addresses: 0.4 GB, 94 bytes for a pixel of a 4K frame, 50 more for each thread beyond
# the first, 0.1 GB for each output.
_MEMORY, _MEMORY_PIXEL, _MEMORY_THREAD, _MEMORY_EACH = 1 << 30, 200, 60, 128 << 20
_MOST_MEMORY = 6 << 30
# Measured with noise, the worst there is: 0.17 bytes for a pixel.
_BYTES, _MOST_BYTES = 0.2, 8 << 30
# Frames are told once they are encoded, a dozen or two after they are decoded.
_HD = 1920 * 1080


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is asked of one run: frames, pixels of each, outputs made of them; bytes of the source.

    `threads` as the program has them for each codec.
    """

    frames: int
    pixels: int
    outputs: int
    size: int
    threads: int = 1

    @property
    def megapixels(self) -> float:
        """Of all frames together, in millions."""
        return self.frames * self.pixels / 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceLimits:
    """What the program may use.

    `memory` (addresses) and `file_size` (of each file it writes) in bytes, `cpu` in seconds of
    processor time, `wall` and `stall` (without progress) in seconds, `niceness` as nice(1) has it.
    """

    memory: int = 2 << 30
    file_size: int = 1 << 30
    cpu: int = 600
    open_files: int = 64
    wall: float = 300.0
    stall: float = 20.0
    niceness: int = 10

    def fitted(self, work: Work) -> Self:
        """These limits where they are ample, and else three times or more what the work takes.

        There is an upper bound to each, whatever a file claims to be.
        """
        cpu = work.megapixels * (_CPU + _CPU_EACH * work.outputs)
        each = _MEMORY_PIXEL + _MEMORY_THREAD * (work.threads - 1)
        memory = _MEMORY + each * work.pixels + _MEMORY_EACH * work.outputs
        written = max(2 * work.size, math.ceil(_BYTES * 1e6 * work.megapixels))
        return replace(
            self,
            cpu=max(self.cpu, min(math.ceil(cpu), MOST_SECONDS)),
            wall=max(self.wall, min(_WALL * cpu, MOST_SECONDS)),
            stall=self.stall * max(1.0, work.pixels / _HD),
            memory=max(self.memory, min(memory, _MOST_MEMORY)),
            file_size=max(self.file_size, min(written, _MOST_BYTES)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What a program took: processor and wall time in seconds, peak memory in bytes.

    On Linux `memory` is never less than the worker's own when it started the program: the kernel
    counts from before exec (getrusage(2), ru_maxrss).
    """

    cpu: float
    wall: float
    memory: int


def launcher(limits: ResourceLimits) -> list[str]:
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
