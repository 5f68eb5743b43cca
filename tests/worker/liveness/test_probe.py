"""The probe `python -m worker.liveness`: its exit code, its words, and what it imports."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import ROOT
from worker.liveness.beat_file import MOST_AWAY, MOST_SILENCE, Beat, path_of, write

# What it may import besides what Python loads for `-m`.
_ALLOWED = {"worker", "worker.liveness", "worker.liveness.beat_file"}


def probe(directory: Path | None, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run the probe on a directory."""
    return subprocess.run(
        [sys.executable, "-m", "worker.liveness", *options],
        cwd=ROOT,
        env={} if directory is None else {"FALHOOK_HEARTBEAT_DIRECTORY": str(directory)},
        capture_output=True,
        text=True,
        check=False,
    )


def noted(directory: Path, beat: Beat, process: str = "media@host") -> None:
    """Have a process note a beat."""
    write(path_of(str(directory), process), beat)


def test_one_that_works(tmp_path: Path) -> None:
    """Exit code 0 without a word; `--ready` holds too."""
    now = time.monotonic()
    noted(tmp_path, Beat(loop=now, broker=now, redis=now, steps=[("falhook.publish", now, 900.0)]))
    for options in ((), ("--ready",)):
        done = probe(tmp_path, *options)
        assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


def test_one_that_is_stuck(tmp_path: Path) -> None:
    """Exit code 1 and a line for each fault, though another process of the machine works."""
    now = time.monotonic()
    noted(tmp_path, Beat(loop=now), "beat@host")
    step = ("falhook.publish", now - 1000, 900.0)
    noted(tmp_path, Beat(loop=now - MOST_SILENCE - 1, steps=[step]))
    done = probe(tmp_path)
    lines = done.stderr.splitlines()
    assert (1, 2) == (done.returncode, len(lines))
    assert all(line.startswith("media@host: ") for line in lines)


@pytest.mark.parametrize("away", [None, MOST_AWAY + 1])
def test_one_without_redis_is_alive_and_not_ready(tmp_path: Path, away: float | None) -> None:
    """The broker's absence, or that of Redis, is no reason to start it again."""
    now = time.monotonic()
    noted(tmp_path, Beat(loop=now, broker=now, redis=None if away is None else now - away))
    assert (0, 1) == (probe(tmp_path).returncode, probe(tmp_path, "--ready").returncode)


@pytest.mark.parametrize("text", ["", "loop", "loop soon\n", "broker 1.0\n", "\n"])
def test_a_file_that_is_not_one_is_a_fault(tmp_path: Path, text: str) -> None:
    """It says so instead of failing by itself."""
    (tmp_path / "media@host.beat").write_text(text)
    done = probe(tmp_path)
    assert (1, "media@host: its file is not one of falhook's\n") == (done.returncode, done.stderr)


def test_no_process_or_setting(tmp_path: Path) -> None:
    """No file, no directory and no setting each have a sentence; the last is exit code 2."""
    for directory, code in ((tmp_path, 1), (tmp_path / "none", 1), (None, 2)):
        done = probe(directory)
        assert (code, 1) == (done.returncode, done.stderr.count("\n"))
        assert "FALHOOK_HEARTBEAT_DIRECTORY" in done.stderr


def test_it_imports_next_to_nothing() -> None:
    """It runs every few seconds: nothing but its own two modules."""
    program = (
        "import sys, os, time; before = set(sys.modules)\n{}\nprint(*set(sys.modules) - before)"
    )
    command = [sys.executable, "-c", program.format("import worker.liveness.__main__")]
    loaded = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert _ALLOWED == set(loaded.split()) - {"worker.liveness.__main__"}
