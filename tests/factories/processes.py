"""Real processes for the tests of the local stack, and waiting for their real end."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests import ROOT


def await_end(pid: int, seconds: float = 10.0) -> None:
    """Return when the process has ended; TimeoutError if it lives on."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if not select.select([descriptor], [], [], seconds)[0]:
            raise TimeoutError(f"process {pid} still lives after {seconds} s")
    finally:
        os.close(descriptor)


@contextmanager
def owner(
    script: str, *arguments: str, start_new_session: bool = False
) -> Iterator[subprocess.Popen[str]]:
    """Run `script` as a process of its own, whose stdout can be read; kill it at the end."""
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
