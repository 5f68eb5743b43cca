"""Jobs in a terminal: tables of jobs, and the live progress of one."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from worker.cli.console import WIDE_TABLE_WIDTH
from worker.cli.job_table import job_lines, print_jobs
from worker.cli.timeline import Timeline, live_table
from worker.jobs.change import Event
from worker.jobs.job import Job, JobState

START = 1_700_000_000.0


def moved(to: JobState, after: float, **more: str) -> Event:
    """Return the event of a job that entered this state, `after` seconds after its creation."""
    return {"job": "job1", "at": f"{START + after}", "to": to, "name": "moved", **more}


def progress(at: JobState, after: float, **more: str) -> Event:
    """Return the event of a step that reports its progress."""
    return {**moved(at, after, **more), "name": "progress"}


def seen(*events: Event, after: float, width: int = WIDE_TABLE_WIDTH) -> str:
    """Return the line of a job in a terminal, `after` seconds after its creation."""
    timeline = Timeline(job_id="job1", endpoint="acme/dolly")
    for event in events:
        timeline.take(event)
    console = Console(file=io.StringIO(), width=width)
    console.print(live_table([timeline], START + after, width=width))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


DOWNLOADED = moved(JobState.DOWNLOADED, 4.0)
HALF = progress(JobState.DOWNLOADED, 6.0, fraction="0.421", left="3.0", frames="120", fps="60.0")


def test_a_long_step_shows_its_progress_and_the_time_left() -> None:
    """The seconds left decrease between two reports."""
    line = seen(DOWNLOADED, HALF, after=7.0)
    assert "DOWNLOADED 42%" in line
    assert "transcoding and tagging, 2 s left" in line


def test_a_narrow_terminal_shows_the_progress_too() -> None:
    """The percentage is shown, the phrase is not."""
    line = seen(DOWNLOADED, HALF, after=7.0, width=80)
    assert ("DOWNLOADED 42%" in line, "left" in line, 1) == (True, False, line.count("\n"))


def test_the_time_left_is_never_negative() -> None:
    """A step that takes longer than expected shows 0 s until its next report."""
    assert "0 s left" in seen(DOWNLOADED, HALF, after=60.0)


@pytest.mark.parametrize("last", [JobState.TAGGED, JobState.PUBLISHED])
def test_the_next_step_starts_without_progress(last: JobState) -> None:
    """The progress of one step is not shown for the next."""
    line = seen(DOWNLOADED, HALF, moved(last, 8.0), after=9.0)
    assert (True, False, False) == (last in line, "%" in line, "left" in line)


def test_a_failed_job_shows_its_reason() -> None:
    """The reason replaces the activity."""
    failed = moved(JobState.FAILED, 5.0, reason="media_invalid", sentence="it is not an MP4")
    assert "it is not an MP4" in seen(DOWNLOADED, HALF, failed, after=9.0)


ENDPOINT = "fal-ai/kling-video/v2.1/master/text-to-video"


QUEUED = Job(id="order-4711-of-a-shop-in-1-city", endpoint=ENDPOINT, arguments={}, created_at=START)
UNWRITABLE = replace(QUEUED, state=JobState.FAILED, reason="storage_unwritable")
WHY = ("", UNWRITABLE.reason)


def listed(width: int) -> list[str]:
    """Return the lines of two jobs in a terminal."""
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    print_jobs(console, [QUEUED, UNWRITABLE], why=WHY, now=START + 90)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 60, 80, 110, 160])
def test_an_id_is_whole_in_every_terminal(width: int) -> None:
    """An id can be copied at any width, and its state is on the same line."""
    lines = [line for line in listed(width) if "order-4711-of-a-shop-in-1-city" in line]
    assert [True, True] == ["QUEUED" in lines[0], "FAILED" in lines[1]]


def test_a_pipe_has_a_line_for_each_job() -> None:
    """In a pipe nothing is wrapped, cut or padded."""
    first, second = job_lines([QUEUED, UNWRITABLE], why=WHY, now=START + 90)[1:]
    created = "2023-11-14 22:13:20"
    assert f"order-4711-of-a-shop-in-1-city  QUEUED  {ENDPOINT}  {created}  1m" == first
    assert second.endswith("storage_unwritable")


@pytest.mark.parametrize("width", [60, 80, 160])
def test_endpoints_are_never_cut(width: int) -> None:
    """Endpoints keep their owner and app unless only that makes a table fit."""
    assert 2 == sum(ENDPOINT in line for line in listed(width))


def test_an_id_in_the_live_table_is_whole() -> None:
    """A terminal of 40 columns shows the id and the state, and little else."""
    console = Console(file=io.StringIO(), width=40)
    timeline = Timeline(job_id="order-4711-of-a-shop-in-1", endpoint=ENDPOINT)
    console.print(live_table([timeline], START, width=40))
    assert isinstance(console.file, io.StringIO)
    assert "order-4711-of-a-shop-in-1 QUEUED" == console.file.getvalue().rstrip()


@pytest.mark.parametrize("width", [40, 60, 80, 110])
def test_a_state_in_the_live_table_is_whole(width: int) -> None:
    """What a job does matters more than the bar and the end of its endpoint."""
    console = Console(file=io.StringIO(), width=width)
    timeline = Timeline(job_id="zjolybmk42tw62h4", endpoint=ENDPOINT, state=JobState.DOWNLOADED)
    console.print(live_table([timeline], START, width=width))
    assert isinstance(console.file, io.StringIO)
    assert "DOWNLOADED" in console.file.getvalue()


@pytest.mark.parametrize("width", [40, 80, 110])
def test_a_terminal_of_any_width_says_why_jobs_wait(width: int) -> None:
    """Below the rows of a narrow one, each reason is said once."""
    waits = "waits: no worker serves falhook.submit"
    jobs = [Timeline(job_id=f"job{number}", waits=waits) for number in (1, 2, 3)]
    console = Console(file=io.StringIO(), width=width)
    console.print(live_table(jobs, START, width=width))
    assert isinstance(console.file, io.StringIO)
    text = " ".join(console.file.getvalue().split())
    below = f"job1 and 2 more {waits}"
    assert (width < 110, True) == (below in text, waits in text)
