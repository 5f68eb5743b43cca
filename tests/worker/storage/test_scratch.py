"""Nothing is left of a killed worker, and a full disk is told as one."""

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
from worker.storage.scratch import PREFIX, scratch, sweep

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
    """Temporary files lie in a directory of the test's own, those of its children too."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def working() -> tuple["subprocess.Popen[str]", Path]:
    """A process that works, and where."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    return child, Path(child.stdout.readline().strip())


def ended(child: "subprocess.Popen[str]", number: signal.Signals | None = None) -> None:
    """Returns once it is gone, by a signal or of itself."""
    if number is not None:
        child.send_signal(number)
    child.communicate(timeout=30)


def test_what_a_killed_worker_left_is_removed(tmp_path: Path) -> None:
    """The next scratch directory takes the place of those that nobody works in any more."""
    (killed, left), (living, theirs) = working(), working()
    ended(killed, signal.SIGKILL)
    assert (left / "source.mp4").exists()
    with scratch("job-2") as ours:
        assert {ours, theirs} == set(tmp_path.iterdir())
        assert (theirs / "source.mp4").exists()
    ended(living)
    assert [] == list(tmp_path.iterdir())


def test_a_sweep_that_was_killed_is_done_again(tmp_path: Path) -> None:
    """What lost its lock already, but not all of its files, is removed too."""
    left = tmp_path / f"{PREFIX}job-1-x"
    left.mkdir()
    (left / "source.mp4").write_bytes(b"")
    sweep()
    assert [] == list(tmp_path.iterdir())


def test_a_worker_that_starts_removes_it(redis_url: str, tmp_path: Path) -> None:
    """Before it does anything else: this one goes no further, its time limit is unsafe."""
    left = tmp_path / f"{PREFIX}job-1-x"
    left.mkdir()
    done = started(redis_url, tmp_path, "--time-limit", "20000", TMPDIR=str(tmp_path))
    assert (2, False) == (done.returncode, left.exists())


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    """Files, links, and directories of other names."""
    (tmp_path / f"{PREFIX}file").write_bytes(b"")
    (tmp_path / "falhook-other").mkdir()
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path / "falhook-other")
    before = set(tmp_path.iterdir())
    sweep()
    assert before == set(tmp_path.iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_what_is_another_users_stays(tmp_path: Path) -> None:
    """Their workers have their own."""
    other = tmp_path / f"{PREFIX}job-1-x"
    other.mkdir()
    os.chown(other, 12345, 12345)
    sweep()
    assert [other] == list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk(tmp_path: Path) -> None:
    """It may have room later; where, and what to do, is said. Nothing is left."""
    (tmp_path / "source").write_bytes(bytes(1000))
    with (
        pytest.raises(Transient, match=r"disk_full: there is no room left in .*\(TMPDIR\)"),
        scratch("job-1"),
        (tmp_path / "source").open("rb") as source,
        Path("/dev/full").open("r+b", buffering=0) as full,
    ):
        copy_range(source, full, 0, 1000)
    assert [tmp_path / "source"] == list(tmp_path.iterdir())


def test_other_errors_are_what_they_are() -> None:
    """Only a want of room is one."""
    with pytest.raises(FileNotFoundError), scratch("job-1") as path:
        (path / "nothing").read_bytes()
