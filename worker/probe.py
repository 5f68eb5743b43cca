"""Probes: short child processes whose exit says something about the thing that they try."""

import errno
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

# A machine that is short of processes, files or memory for a moment.
_BUSY = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY})
_SHELL_SIGNAL = 128  # wrappers exit with this plus the number of the signal that killed a program


class ProbeInterrupted(Exception):
    """A probe was killed, timed out or could not be started.

    That says nothing about its subject: a process that needs the answer ends with exit code 1, so
    that it is started again, and never with 2.
    """


def run_probe(
    command: Sequence[str | Path],
    *,
    timeout: float,
    tries: int = 3,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run the command without standard input; return its exit code and output.

    A run that is killed, takes `timeout` seconds or cannot be started for want of resources is
    repeated. Raises ProbeInterrupted after `tries` of them, OSError if the program cannot be run.
    """
    for _ in range(tries):
        try:
            process = subprocess.run(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=timeout,
                cwd=cwd,
                env=env,
            )
        except subprocess.TimeoutExpired:
            why = f"it gave no answer in {timeout:g} s"
        except OSError as error:
            if error.errno not in _BUSY:
                raise
            why = f"it could not be started ({error.strerror})"
        else:
            if 0 <= process.returncode <= _SHELL_SIGNAL:
                return process
            why = f"it was killed (exit code {process.returncode})"
    raise ProbeInterrupted(f"{Path(command[0]).name} was tried {tries} times: {why}")
