"""`python -m worker.liveness [--ready]`: the probe of a process that has no port.

It reads the files below FALHOOK_HEARTBEAT_DIRECTORY. Exit code 0 if each process there works, 1 if
one is stuck, 2 without the setting. A process that cannot reach the broker or Redis works; with
`--ready` it does not. It asks nobody.
"""

import os
import sys
import time

from worker.liveness.beat_file import Beat, read_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

SETTING = "FALHOOK_HEARTBEAT_DIRECTORY"


def main() -> int:
    """Print what is wrong, and return the exit code."""
    directory = os.environ.get(SETTING)
    if not directory:
        sys.stderr.write(f"{SETTING} is not set: no process notes that it works\n")
        return 2
    faults = list(_faults(directory, ready="--ready" in sys.argv[1:]))
    sys.stderr.writelines(f"{fault}\n" for fault in faults)
    return 1 if faults else 0


def _faults(directory: str, *, ready: bool) -> "Iterator[str]":
    try:
        beats = list(read_all(directory))
    except OSError as error:
        yield f"{SETTING}={directory} cannot be read: {error.strerror}"
        return
    if not beats:
        yield f"no process has noted in {SETTING}={directory} that it works"
    for process, beat in beats:
        for fault in _of(beat, ready=ready):
            yield f"{process}: {fault}"


def _of(beat: Beat | None, *, ready: bool) -> "Iterator[str]":
    if beat is None:
        yield "its file is not one of falhook's"
        return
    now = time.monotonic()
    yield from beat.faults(now)
    if ready:
        yield from beat.lacks(now)


if __name__ == "__main__":
    sys.exit(main())
