"""`make faults` ends as soon as its stack has ended, and says which process ended it."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests import ROOT
from tests.faults.waiting import until

pytestmark = pytest.mark.faults
WITHIN = 6.0

End = Callable[[psutil.Process, Path], None]


def processes(driver: psutil.Process, *words: str) -> list[psutil.Process]:
    """The processes below the driver whose command line has all these words."""
    found = []
    for process in driver.children(recursive=True):
        try:
            if set(words) <= set(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def kill_fal(driver: psutil.Process, _directory: Path) -> None:
    """Kill the simulated fal."""
    for process in processes(driver, "infra.local.fal"):
        os.kill(process.pid, signal.SIGKILL)


def make_workers_refuse(driver: psutil.Process, directory: Path) -> None:
    """Give the storage another identity, with which no worker starts, and kill the workers."""
    marker = directory / "storage" / ".falhook"
    text = re.sub(r"^id: \w+$", f"id: {'0' * 32}", marker.read_text(), flags=re.MULTILINE)
    marker.write_text(text)
    for process in processes(driver, "worker.celery", "worker"):
        os.kill(process.pid, signal.SIGKILL)
    log = directory / "stack.log"
    until(lambda: "process.refused" in log.read_text(), "a worker refuses to start", 60)


@pytest.fixture
def driver(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A driver in the middle of a run."""
    options = ("--seed", "1", "--jobs", "200", "--minutes", "2", "--directory", str(tmp_path))
    with subprocess.Popen(
        (sys.executable, "-m", "tests.faults", *options),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            log = tmp_path / "stack.log"
            until(lambda: log.exists() and "PUBLISHED" in log.read_text(), "a job is done", 90)
            yield process
        finally:
            process.kill()


@pytest.mark.timeout(150)
@pytest.mark.parametrize(
    ("end", "words"),
    [
        (kill_fal, ("The simulated fal was killed by SIGKILL:", "callback tried")),
        (make_workers_refuse, ("refused to start (exit code 2):", "storage")),
    ],
)
def test_the_driver_ends_with_its_stack(
    driver: "subprocess.Popen[str]", tmp_path: Path, end: End, words: tuple[str, str]
) -> None:
    """Within seconds it exits with 2, and names the process, its end and its last lines."""
    end(psutil.Process(driver.pid), tmp_path)
    began = time.monotonic()
    _, error = driver.communicate(timeout=60)
    assert (2, True) == (driver.returncode, time.monotonic() - began < WITHIN)
    assert [] == [word for word in words if word not in error]
