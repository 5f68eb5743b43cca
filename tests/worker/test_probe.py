"""A probe that is killed says nothing about its subject."""

import errno
import sys
from pathlib import Path

import pytest
import structlog

from worker.probe import ProbeInterrupted, run_probe
from worker.startup import exit_on_error
from worker.storage import Storage, require_usable
from worker.transcode.ffmpeg import isolation

KILLED_ONCE = """
import os, pathlib, sys
mark = pathlib.Path(sys.argv[1])
if not mark.exists():
    mark.touch()
    os.kill(os.getpid(), 9)
print("alive")
"""


def python(code: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", code, *map(str, arguments)]


def test_a_killed_probe_is_repeated(tmp_path: Path) -> None:
    """The second run counts."""
    process = run_probe(python(KILLED_ONCE, tmp_path / "mark"), timeout=60)
    assert (0, b"alive\n") == (process.returncode, process.stdout)


@pytest.mark.parametrize(
    ("code", "timeout", "words"),
    [
        ("import os; os.kill(os.getpid(), 9)", 60, "killed"),
        ("import os; os._exit(137)", 60, "killed"),
        (
            "import signal; signal.pause()",
            0.5,
            "no answer in 0.5 s",
        ),
    ],
)
def test_a_probe_that_is_always_interrupted(code: str, timeout: float, words: str) -> None:
    """It is neither a success nor a refusal, and says why."""
    with pytest.raises(ProbeInterrupted, match=words):
        run_probe(python(code), timeout=timeout)


def test_a_machine_short_of_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fork that fails says nothing about the program; a missing program does."""

    def short(*_: object, **__: object) -> None:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    with pytest.raises(FileNotFoundError):
        run_probe(["no-such-program"], timeout=1)
    monkeypatch.setattr("worker.probe.subprocess.run", short)
    with pytest.raises(ProbeInterrupted, match="temporarily unavailable"):
        run_probe([sys.executable], timeout=1)


def test_the_process_may_start_again() -> None:
    """The exit code is that of a crash, with a sentence; a supervisor starts the process again."""

    def interrupted() -> None:
        raise ProbeInterrupted("it was killed")

    with structlog.testing.capture_logs() as lines, pytest.raises(SystemExit) as ended:
        exit_on_error(interrupted)
    assert (1, ["a check at the start gave no result: it was killed"]) == (
        ended.value.code,
        [line["sentence"] for line in lines],
    )


def test_a_killed_check_of_the_storage_refuses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It once became a refusal with an empty sentence, after which the whole stack ended."""
    storage = Storage.open(str(tmp_path / "storage"))
    killed = tmp_path / "python"
    killed.write_text("#!/bin/sh\nkill -9 $$\n")
    killed.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(killed))
    with pytest.raises(ProbeInterrupted, match="killed"):
        require_usable(storage)


def test_a_killed_check_does_not_weaken_the_isolation(tmp_path: Path) -> None:
    """A program that is killed is not taken for one that the isolation keeps from running."""
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\nkill -9 $$\n")
    program.chmod(0o755)
    with pytest.raises(ProbeInterrupted):
        isolation.works(isolation.Isolation.NONE, program)
