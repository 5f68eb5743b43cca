"""The lines of `make local` about jobs."""

import io
from pathlib import Path

import pytest

from infra.local.screen import Screen


@pytest.mark.parametrize(
    ("event", "line"),
    [
        ({"from": "QUEUED", "to": "SUBMITTING"}, "job-1  SUBMITTING"),
        ({"from": "TAGGED", "to": "TAGGED", "name": "progress"}, ""),
        (
            {"from": "SUBMITTED", "to": "FAILED", "reason": "fal_422", "sentence": "bad prompt"},
            "job-1  FAILED          bad prompt",
        ),
        ({"from": "TAGGED", "to": "PUBLISHED"}, "job-1  PUBLISHED       file:///a/b%20c/job-1"),
    ],
)
def test_a_line_for_each_move(event: dict[str, str], line: str) -> None:
    """It has the state, why a job failed, and the address of what was published."""
    out = io.StringIO()
    Screen(out, Path("/a/b c")).show({"job": "job-1", **event})
    assert line == out.getvalue().partition("  ")[2].rstrip("\n")


def test_why_a_job_waits_is_said_once() -> None:
    """Each further try is silent until the reason changes, or the job has moved and waits again."""
    out = io.StringIO()
    screen = Screen(out, Path("/a"))
    wait = {"job": "j", "from": "RENDERED", "to": "RENDERED", "name": "retried"}
    move = {"job": "j", "from": "RENDERED", "to": "DOWNLOADED", "name": "moved"}
    full, slow = {"reason": "storage_full"}, {"reason": "download_slow"}
    for event in (wait | full, wait | full, wait | slow, move, wait | slow):
        screen.show(event)
    waits = ["waits: storage_full", "waits: download_slow", "", "waits: download_slow"]
    assert waits == [line[len("00:00:00  j  ") + 16 :] for line in out.getvalue().splitlines()]
