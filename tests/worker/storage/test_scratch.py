"""Nothing is left of a killed worker, and a full disk is reported as one."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.factories.worker_process import started
from worker.errors import Transient
from worker.formats.copy_range import copy_range
from worker.storage.scratch import (
    PREFIX,
    NoTemporaryDirectory,
    require_temporary_directory,
    scratch,
    sweep,
)

# Works in a scratch directory until it is killed.
CHILD = """
import sys
from worker.storage.scratch import scratch

with scratch("job-1") as path:
    (path / "source.mp4").write_bytes(bytes(1000))
    print(path, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put temporary files, also those of child processes, into the test's own directory."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def working() -> tuple["subprocess.Popen[str]", Path]:
    """Start a process that works in a scratch directory; return it and the directory."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    return child, Path(child.stdout.readline().strip())


def end(child: "subprocess.Popen[str]", number: signal.Signals | None = None) -> None:
    """Return once the process has ended, by the signal if there is one."""
    if number is not None:
        child.send_signal(number)
    child.communicate(timeout=30)


def test_directories_of_killed_workers_are_removed(tmp_path: Path) -> None:
    """A new scratch directory removes those of dead processes, and no others."""
    (killed, left), (living, used) = working(), working()
    end(killed, signal.SIGKILL)
    assert (left / "source.mp4").exists()
    with scratch("job-2") as new:
        assert {new, used} == set(tmp_path.iterdir())
        assert (used / "source.mp4").exists()
    end(living)
    assert [] == list(tmp_path.iterdir())


def test_a_killed_sweep_is_completed(tmp_path: Path) -> None:
    """A directory without its lock file, but with other files, is removed too."""
    left = tmp_path / f"{PREFIX}job-1-x"
    left.mkdir()
    (left / "source.mp4").write_bytes(b"")
    sweep()
    assert [] == list(tmp_path.iterdir())


def test_a_starting_worker_removes_them(redis_url: str, tmp_path: Path) -> None:
    """A worker removes them first: this one then stops, because fal cannot reach its receiver."""
    left = tmp_path / f"{PREFIX}job-1-x"
    left.mkdir()
    unreachable = "https://127.0.0.1"
    environ = {"TMPDIR": str(tmp_path), "FALHOOK_PUBLIC_URL": unreachable}
    worker = started(redis_url, tmp_path, **environ)
    assert (2, False) == (worker.returncode, left.exists())


def test_other_entries_stay(tmp_path: Path) -> None:
    """Files, links, and directories with other names are not removed."""
    (tmp_path / f"{PREFIX}file").write_bytes(b"")
    (tmp_path / "falhook-other").mkdir()
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path / "falhook-other")
    before = set(tmp_path.iterdir())
    sweep()
    assert before == set(tmp_path.iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_directories_of_other_users_stay(tmp_path: Path) -> None:
    """A scratch directory that belongs to another user is not removed."""
    other = tmp_path / f"{PREFIX}job-1-x"
    other.mkdir()
    os.chown(other, 12345, 12345)
    sweep()
    assert [other] == list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk(tmp_path: Path) -> None:
    """A full disk is transient; the sentence names the directory and TMPDIR. Nothing is left."""
    (tmp_path / "source").write_bytes(bytes(1000))
    with (
        pytest.raises(Transient, match=r"disk_full: no space left in .*\(TMPDIR\)"),
        scratch("job-1"),
        (tmp_path / "source").open("rb") as source,
        Path("/dev/full").open("r+b", buffering=0) as full,
    ):
        copy_range(source, full, 0, 1000)
    assert [tmp_path / "source"] == list(tmp_path.iterdir())


def test_other_errors_are_raised_unchanged() -> None:
    """Only the errors of a full disk are converted."""
    with pytest.raises(FileNotFoundError), scratch("job-1") as path:
        (path / "nothing").read_bytes()


def test_without_a_temporary_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The sentence names TMPDIR, its value and the correction."""
    missing = str(tmp_path / "missing")
    monkeypatch.setenv("TMPDIR", missing)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [missing])
    monkeypatch.setattr(tempfile, "tempdir", None)
    with pytest.raises(NoTemporaryDirectory, match=f"TMPDIR={missing}.*set TMPDIR"):
        require_temporary_directory()
