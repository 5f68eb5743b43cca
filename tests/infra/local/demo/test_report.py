"""The demo's report, and the directory of a run."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from infra.local.demo import demo
from infra.local.demo.jobs import JOBS
from infra.local.demo.report import FinishedJob, report
from infra.local.run_directory import DirectoryUnusable, new_directory

FAILING = next(demo_job for demo_job in JOBS if demo_job.state == "FAILED")
REASON = "fails on purpose"


def failed(number: int = 0, state: str = "FAILED", submits: int = 1) -> FinishedJob:
    """A finished job of the demo that is expected to fail."""
    return FinishedJob(
        demo_job=FAILING,
        record={"id": f"job-{number}", "state": state, "sentence": "[b]Broken", "history": []},
        requests={"submit": submits, "status": 0, "result": 0},
        published=Path("nowhere"),
    )


def reported(*jobs: FinishedJob) -> tuple[str, list[str]]:
    """The printed report on the jobs, and the faults."""
    text = io.StringIO()
    faults = report(Console(file=text, width=200), list(jobs), Path())
    return text.getvalue(), faults


def test_an_intended_failure_is_reported_as_expected() -> None:
    """An intended failure is not a fault; the report says why it happened and that it is free."""
    text, faults = reported(failed())
    words = ("FAILED, as expected", REASON, "simulated fal", "costs nothing", "[b]Broken")
    assert ([], []) == ([word for word in words if word not in text], faults)


def test_an_unexpected_end_is_a_fault() -> None:
    """Another final state and a second POST to fal are reported as faults."""
    text, faults = reported(failed(1, state="CANCELLED"), failed(2, submits=2))
    assert (False, 1) == ("CANCELLED, as expected" in text, text.count(REASON))
    assert ["job-1 is CANCELLED, not FAILED", "job-2 should cause one submit"] == [
        faults[0],
        faults[1][:29],
    ]


def test_an_empty_file_is_a_fault(tmp_path: Path) -> None:
    """A published job needs each of its files, not empty."""
    (tmp_path / "video.mp4").touch()
    (tmp_path / "poster.jpg").write_bytes(b"jpeg")
    job = FinishedJob(
        demo_job=JOBS[0],
        record={"id": "job-1", "state": "PUBLISHED"},
        requests={"submit": 1, "status": 0, "result": 0},
        published=tmp_path,
    )
    expected = [f"{tmp_path / name} is missing or empty" for name in ("video.mp4", "manifest.json")]
    assert expected == job.faults()


def test_an_unusable_directory_is_named(tmp_path: Path) -> None:
    """The error names the directory that cannot be created, and nothing is started."""
    taken = tmp_path / "var"
    taken.touch()
    with pytest.raises(DirectoryUnusable, match=f"{taken / 'demo'} cannot be used: Not a dir"):
        demo.main(taken / "demo")


def test_each_run_has_its_own_directory(tmp_path: Path) -> None:
    """Two runs in one second share nothing."""
    assert 2 == len({new_directory(tmp_path / "demo"), new_directory(tmp_path / "demo")})
