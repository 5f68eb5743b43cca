"""Real processes for the tests of the local stack, and the wait for their end."""

import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests import ROOT


def await_end(pid: int, seconds: float = 10.0) -> None:
    """Wait until the process has ended; raise TimeoutError after `seconds`."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if not select.select([descriptor], [], [], seconds)[0]:
            raise TimeoutError(f"process {pid} is still running after {seconds} s")
    finally:
        os.close(descriptor)


@contextmanager
def owner(
    script: str, *arguments: str, start_new_session: bool = False
) -> Iterator[subprocess.Popen[str]]:
    """Run `script` in a new process with a readable stdout; kill it at the end of the block."""
    with subprocess.Popen(
        (sys.executable, "-c", script, *arguments),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=start_new_session,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_line(process: subprocess.Popen[str]) -> str:
    """Return the next line that the process prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()
