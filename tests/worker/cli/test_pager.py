"""Long tables at a terminal: real terminals, with a pager that leaves a mark."""

import os
import pty
import struct
import subprocess
import sys
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ

import pytest

from tests import ROOT

MARK = "paged:"


@pytest.fixture
def pager(tmp_path: Path) -> Path:
    """A pager that prints a mark and then its input."""
    program = tmp_path / "pager"
    program.write_text(f"#!/bin/sh\necho {MARK}\ncat\n")
    program.chmod(0o755)
    return program


def at_terminal(*arguments: str, rows: int, **environ: str) -> str:
    """Return what `falhook models` prints at a terminal with so many rows and 80 columns."""
    ours, theirs = pty.openpty()
    ioctl(theirs, TIOCSWINSZ, struct.pack("HHHH", rows, 80, 0, 0))
    command = [sys.executable, "-m", "worker", "models", *arguments]
    environment = {"PATH": os.environ["PATH"], "TERM": "xterm", **environ}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        text = b"".join(iter(lambda: _read(ours), b""))
    os.close(ours)
    assert 0 == process.returncode
    return text.decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux's end of a terminal
        return b""


def test_a_table_that_is_longer_than_the_terminal_is_paged(pager: Path) -> None:
    """The whole table goes through $PAGER."""
    text = at_terminal(rows=20, PAGER=str(pager))
    assert (True, True) == (text.startswith(MARK), "v2.1/master/text-to-video" in text)


def test_a_table_that_fits_is_printed(pager: Path) -> None:
    """Nobody has to leave a pager for a few lines."""
    assert MARK not in at_terminal("v2.1/master", rows=20, PAGER=str(pager))


@pytest.mark.parametrize(
    ("arguments", "environ"),
    [(["--no-pager"], {}), ([], {"PAGER": ""}), ([], {"PAGER": "cat"})],
    ids=["--no-pager", "PAGER=", "PAGER=cat"],
)
def test_the_pager_can_be_declined(
    arguments: list[str], environ: dict[str, str], pager: Path
) -> None:
    """By flag, or as with git."""
    assert MARK not in at_terminal(*arguments, rows=20, **{"PAGER": str(pager), **environ})


def test_no_pager_outside_a_terminal(pager: Path) -> None:
    """Other programs get every line at once."""
    command = [sys.executable, "-m", "worker", "models"]
    environ = {"PAGER": str(pager)}
    done = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True
    )
    assert (False, True) == (MARK in done.stdout, done.stdout.count("\n") > 50)
