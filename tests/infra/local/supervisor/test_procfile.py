"""Reading a Procfile and printing what its processes say."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from infra.local.supervisor.procfile import ProcfileError, console, load_procfile

TWO_TYPES = "# what runs\nweb: uvicorn app --port $PORT\n\nmedia: celery worker -Q media\n"


def procfile(tmp_path: Path, text: str) -> Path:
    """Write a Procfile and return its path."""
    path = tmp_path / "Procfile"
    path.write_text(text)
    return path


def test_commands_come_by_name_in_order(tmp_path: Path) -> None:
    """Each line is a process with its command; comments and empty lines are none."""
    expected = [("web", "uvicorn app --port $PORT"), ("media", "celery worker -Q media")]
    assert expected == list(load_procfile(procfile(tmp_path, TWO_TYPES)).items())


def test_concurrency_multiplies_a_type(tmp_path: Path) -> None:
    """Several of a type are numbered, none leaves it out, one keeps the bare name."""
    path = procfile(tmp_path, TWO_TYPES)
    several, without, single = ["web", "media.1", "media.2"], ["media"], ["web", "media"]
    assert several == list(load_procfile(path, {"media": 2}))
    assert without == list(load_procfile(path, {"web": 0}))
    assert single == list(load_procfile(path, {"media": 1}))


@pytest.mark.parametrize(
    ("text", "concurrency", "complaint"),
    [
        ("web: a\nwhat is this\n", {}, r"Procfile, line 2: write it as `name: command`, not 'what"),
        ("web: a\nweb: b\n", {}, r"Procfile, line 2: the process 'web' is named twice"),
        ("# nothing\n", {}, r"names no process to run: add a line"),
        ("web: a\n", {"wep": 2}, r"has no process 'wep': it has web\."),
    ],
)
def test_a_procfile_that_cannot_be_used_is_explained(
    tmp_path: Path, text: str, concurrency: dict[str, int], complaint: str
) -> None:
    """A line that honcho would skip, a double name or an unknown one is an error that says so."""
    with pytest.raises(ProcfileError, match=complaint):
        load_procfile(procfile(tmp_path, text), concurrency)


def test_a_missing_procfile_is_named(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(ProcfileError, match=r"Procfile cannot be read: No such file"):
        load_procfile(tmp_path / "Procfile")


def test_the_console_puts_time_and_name_before_each_line() -> None:
    """Names are padded to one width, and bytes that are no UTF-8 do no harm."""
    stream = io.StringIO()
    write = console(["web", "media"], stream)
    write("web", b"one \xff\n")
    write("media", b"two\n")
    expected = ["web   | one \ufffd", "media | two"]
    assert expected == [line.partition(" ")[2] for line in stream.getvalue().splitlines()]
