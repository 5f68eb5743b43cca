"""Reading a Procfile."""

from pathlib import Path

import pytest

from infra.local.supervisor.procfile import ProcfileError, load_procfile

TWO_TYPES = "# processes\nweb: uvicorn app --port $PORT\n\nmedia: celery worker -Q media\n"


def procfile(tmp_path: Path, text: str) -> Path:
    """Write a Procfile and return its path."""
    path = tmp_path / "Procfile"
    path.write_text(text)
    return path


def test_commands_are_returned_by_name_in_order(tmp_path: Path) -> None:
    """Each line is a process with its command; comments and empty lines are skipped."""
    expected = [("web", "uvicorn app --port $PORT"), ("media", "celery worker -Q media")]
    assert expected == list(load_procfile(procfile(tmp_path, TWO_TYPES)).items())


def test_concurrency_multiplies_a_type(tmp_path: Path) -> None:
    """Several processes of a type are numbered, 0 omits it, 1 keeps its name."""
    path = procfile(tmp_path, TWO_TYPES)
    several, without, single = ["web", "media.1", "media.2"], ["media"], ["web", "media"]
    assert several == list(load_procfile(path, {"media": 2}))
    assert without == list(load_procfile(path, {"web": 0}))
    assert single == list(load_procfile(path, {"media": 1}))


@pytest.mark.parametrize(
    ("text", "concurrency", "error"),
    [
        (
            "web: a\nwhat is this\n",
            {},
            r"Procfile, line 2: 'what is this' is not a process; write `name",
        ),
        ("web: a\nweb: b\n", {}, r"Procfile, line 2: duplicate process 'web'"),
        ("# nothing\n", {}, r"has no process to run: add a line"),
        ("web: a\n", {"wep": 2}, r"has no process 'wep'; use web\."),
    ],
)
def test_an_invalid_procfile_is_explained(
    tmp_path: Path, text: str, concurrency: dict[str, int], error: str
) -> None:
    """Lines that honcho would skip, duplicates and unknown names are errors."""
    with pytest.raises(ProcfileError, match=error):
        load_procfile(procfile(tmp_path, text), concurrency)


def test_a_missing_procfile_is_named(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(ProcfileError, match=r"Procfile cannot be read: No such file"):
        load_procfile(tmp_path / "Procfile")
