"""What the demo tells, and where it keeps it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from infra.local.demo import demo
from infra.local.demo.jobs import JOBS
from infra.local.demo.report import Ended, report
from infra.local.run_directory import DirectoryUnusable, new_in

FAILING = next(wanted for wanted in JOBS if wanted.state == "FAILED")
MEANT = "fails on purpose"


def failed(number: int = 0, state: str = "FAILED", submits: int = 1) -> Ended:
    """A job of the demo that is meant to fail, as it ended."""
    return Ended(
        wanted=FAILING,
        job={"id": f"job-{number}", "state": state, "sentence": "[b]Broken", "history": []},
        asked={"submit": submits, "status": 0, "result": 0},
        published=Path("nowhere"),
    )


def told(*jobs: Ended) -> tuple[str, list[str]]:
    """What is printed of the jobs, and what counts as a fault."""
    text = io.StringIO()
    faults = report(Console(file=text, width=200), list(jobs), Path())
    return text.getvalue(), faults


def test_a_failure_on_purpose_is_told_as_one() -> None:
    """A job that is to fail says why and that it costs nothing, in the table and below it."""
    text, faults = told(failed())
    words = ("FAILED, as meant", MEANT, "simulated fal", "costs nothing", "[b]Broken")
    assert ([], []) == ([word for word in words if word not in text], faults)


def test_another_end_is_a_fault() -> None:
    """Where it ends otherwise, or fal was asked twice, that is said instead."""
    text, faults = told(failed(1, state="CANCELLED"), failed(2, submits=2))
    assert (False, 1) == ("CANCELLED, as meant" in text, text.count(MEANT))
    assert ["job-1 is CANCELLED, not FAILED", "job-2 made other requests"] == [
        faults[0],
        faults[1][:25],
    ]


def test_an_empty_file_is_a_fault(tmp_path: Path) -> None:
    """A published job needs each of its files, with something in it."""
    (tmp_path / "video.mp4").touch()
    (tmp_path / "poster.jpg").write_bytes(b"jpeg")
    ended = Ended(
        wanted=JOBS[0],
        job={"id": "job-1", "state": "PUBLISHED"},
        asked={"submit": 1, "status": 0, "result": 0},
        published=tmp_path,
    )
    expected = [f"{tmp_path / name} is missing or empty" for name in ("video.mp4", "manifest.json")]
    assert expected == ended.faults()


def test_where_nothing_can_be_kept_that_is_said(tmp_path: Path) -> None:
    """A directory that cannot be made is named, and nothing is started."""
    taken = tmp_path / "var"
    taken.touch()
    with pytest.raises(DirectoryUnusable, match=f"{taken / 'demo'} cannot be used: Not a dir"):
        demo.main(taken / "demo")


def test_each_run_has_a_directory_of_its_own(tmp_path: Path) -> None:
    """Two runs in one second share nothing."""
    assert 2 == len({new_in(tmp_path / "demo"), new_in(tmp_path / "demo")})
