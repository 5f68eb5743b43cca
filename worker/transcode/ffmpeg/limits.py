"""Resource limits of an untrusted program, and the commands that set them."""

import functools
import math
from dataclasses import dataclass, replace
from typing import Self

from worker.probe import run_probe

PATH = "/usr/local/bin:/usr/bin:/bin"

# The limits are set between fork and exec, so the program never runs without them. sh sets them:
# Python's preexec_fn may deadlock in a process with threads, and macOS lacks util-linux' prlimit.
# Without -S or -H, ulimit sets the soft and the hard limit: ffmpeg would trap SIGXCPU of a soft
# one and finish a short file. A limit that cannot be set is left unchanged: either the system has
# no limit of that kind (macOS: memory), or a tighter one is set already.
_LAUNCHER = """
limit() { ulimit "$@" 2>/dev/null || :; }
limit -c 0; limit -t "$1"; limit -f "$2"; limit -n "$3"; limit -v "$4"; nice=$5
shift 5
command -v nice >/dev/null && set -- nice -n "$nice" "$@"
exec "$@"
"""


# Measured with every output of HD and 4K, one thread each: 0.016 to 0.041 s of processor time for a
# million pixels of the source, 0.097 with ProRes 4444. Each further video took 0.006 at most.
_CPU, _CPU_PER_OUTPUT = 0.15, 0.02
# A machine that shares its processors, or is slower than the one measured, takes longer.
_WALL = 2.0  # seconds for each second of processor time
# The longest clips in 4K take 2500 s of processor time.
MOST_SECONDS = 7200
# Measured address space: 0.4 GB, 94 bytes for a pixel of a 4K frame, 50 more for each thread beyond
# the first, 0.1 GB for each output.
_MEMORY, _MEMORY_PIXEL, _MEMORY_THREAD, _MEMORY_OUTPUT = 1 << 30, 200, 60, 128 << 20
_MOST_MEMORY = 6 << 30
# Measured with noise, the worst case: 0.17 bytes for a pixel.
_BYTES, _MOST_BYTES = 0.2, 8 << 30
# ffmpeg reports frames once they are encoded, 12 to 24 frames after they are decoded.
_HD = 1920 * 1080


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The size of one run: frames, pixels of each, number of outputs, bytes of the source.

    `threads` is the number for each codec.
    """

    frames: int
    pixels: int
    outputs: int
    size: int
    threads: int = 1

    @property
    def megapixels(self) -> float:
        """The pixels of all frames, in millions."""
        return self.frames * self.pixels / 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceLimits:
    """The resources that the program may use.

    `memory` (address space) and `file_size` (of each file it writes) in bytes, `cpu` in seconds of
    processor time, `wall` and `stall` (without progress) in seconds, `niceness` as in nice(1).
    """

    memory: int = 2 << 30
    file_size: int = 1 << 30
    cpu: int = 600
    open_files: int = 64
    wall: float = 300.0
    stall: float = 20.0
    niceness: int = 10

    def fitted(self, work: Work) -> Self:
        """Return these limits, raised to at least three times what the work takes.

        Each has an upper bound, whatever a file claims to be.
        """
        cpu = work.megapixels * (_CPU + _CPU_PER_OUTPUT * work.outputs)
        per_pixel = _MEMORY_PIXEL + _MEMORY_THREAD * (work.threads - 1)
        memory = _MEMORY + per_pixel * work.pixels + _MEMORY_OUTPUT * work.outputs
        written = max(2 * work.size, math.ceil(_BYTES * 1e6 * work.megapixels))
        return replace(
            self,
            cpu=max(self.cpu, min(math.ceil(cpu), MOST_SECONDS)),
            wall=max(self.wall, min(_WALL * cpu, MOST_SECONDS)),
            stall=self.stall * max(1.0, work.pixels / _HD),
            memory=max(self.memory, min(memory, _MOST_MEMORY)),
            file_size=max(self.file_size, min(written, _MOST_BYTES)),
        )


def launcher(limits: ResourceLimits) -> list[str]:
    """Return the command that runs a program with these limits."""
    blocks, kilobytes = limits.file_size // 512, limits.memory // 1024  # ulimit's units (POSIX)
    numbers = (limits.cpu, blocks, limits.open_files, kilobytes, limits.niceness)
    return ["/bin/sh", "-c", _LAUNCHER, "sh", *map(str, numbers)]


@functools.cache
def dies_with_us() -> tuple[str, ...]:
    """Return the command that makes Linux end a program with its parent thread (PR_SET_PDEATHSIG).

    It is empty if util-linux' setpriv is missing or too old: then a program whose worker was killed
    lives until its processor time is used up. Raises ProbeInterrupted if setpriv was killed.
    """
    wrapper = ("setpriv", "--pdeathsig", "KILL")
    try:
        process = run_probe([*wrapper, "true"], timeout=10, env={"PATH": PATH})
    except OSError:
        return ()
    return () if process.returncode else wrapper
