"""What a person sees of a job that is on its way."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from worker.cli.console import WIDE_TABLE_WIDTH, print_jobs
from worker.cli.timeline import Timeline, live_table
from worker.jobs.change import Event
from worker.jobs.job import Job, JobState

START = 1_700_000_000.0


def moved(to: JobState, after: float, **more: str) -> Event:
    """A job came into this state, so many seconds after it was made."""
    return {"job": "job1", "at": f"{START + after}", "to": to, "name": "moved", **more}


def progress(at: JobState, after: float, **more: str) -> Event:
    """A step told how far it is."""
    return {**moved(at, after, **more), "name": "progress"}


def seen(*events: Event, after: float, width: int = WIDE_TABLE_WIDTH) -> str:
    """The line of a job in a terminal, that long after it was made."""
    way = Timeline(job_id="job1", endpoint="acme/dolly")
    for event in events:
        way.take(event)
    console = Console(file=io.StringIO(), width=width)
    console.print(live_table([way], START + after, width=width))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


DOWNLOADED = moved(JobState.DOWNLOADED, 4.0)
HALF = progress(JobState.DOWNLOADED, 6.0, fraction="0.421", left="3.0", frames="120", fps="60.0")


def test_a_long_step_shows_how_far_it_is_and_how_long_it_takes() -> None:
    """The seconds left run down between two tellings."""
    told = seen(DOWNLOADED, HALF, after=7.0)
    assert "DOWNLOADED 42%" in told
    assert "transcoding and tagging, 2 s left" in told


def test_a_narrow_terminal_shows_how_far_it_is_too() -> None:
    """The phrase is left out, the percentage is not."""
    told = seen(DOWNLOADED, HALF, after=7.0, width=80)
    assert ("DOWNLOADED 42%" in told, "left" in told, 1) == (True, False, told.count("\n"))


def test_a_step_that_takes_longer_than_foreseen_never_has_less_than_nothing_left() -> None:
    """Until the next telling."""
    assert "0 s left" in seen(DOWNLOADED, HALF, after=60.0)


@pytest.mark.parametrize("last", [JobState.TAGGED, JobState.PUBLISHED])
def test_the_next_step_begins_anew(last: JobState) -> None:
    """What was told of one step says nothing of another."""
    told = seen(DOWNLOADED, HALF, moved(last, 8.0), after=9.0)
    assert (True, False, False) == (last in told, "%" in told, "left" in told)


def test_a_failed_job_says_why() -> None:
    """In the place of what it does."""
    failed = moved(JobState.FAILED, 5.0, reason="media_invalid", sentence="it is no MP4")
    assert "it is no MP4" in seen(DOWNLOADED, HALF, failed, after=9.0)


ENDPOINT = "fal-ai/kling-video/v2.1/master/text-to-video"


def listed(width: int, *, terminal: bool = True) -> list[str]:
    """The lines of two jobs."""
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=None)
    job = Job(
        id="order-4711-of-a-shop-in-1-city", endpoint=ENDPOINT, arguments={}, created_at=START
    )
    failed = replace(job, state=JobState.FAILED, reason="storage_unwritable")
    print_jobs(console, [job, failed])
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 60, 80, 110, 160])
def test_an_id_is_whole_in_every_terminal(width: int) -> None:
    """So that it can be copied, and its state stands beside it."""
    lines = [line for line in listed(width) if "order-4711-of-a-shop-in-1-city" in line]
    assert [True, True] == ["QUEUED" in lines[0], "FAILED" in lines[1]]


@pytest.mark.parametrize("width", [40, 80])
def test_a_pipe_has_a_line_for_each_job(width: int) -> None:
    """Whatever width somebody's terminal has; nothing is wrapped, cut or filled up."""
    first, second = listed(width, terminal=False)[1:]
    assert f"order-4711-of-a-shop-in-1-city  QUEUED  {ENDPOINT}  2023-11-14 22:13:20" == first
    assert second.endswith("storage_unwritable")


@pytest.mark.parametrize("width", [60, 80, 160])
def test_an_endpoint_can_be_pasted(width: int) -> None:
    """Without its owner and app it is none, so these are left out only where that makes a table."""
    assert 2 == sum(ENDPOINT in line for line in listed(width))


def test_an_id_on_its_way_is_whole_too() -> None:
    """In a terminal of 40 columns the state stands beside it, and little else."""
    console = Console(file=io.StringIO(), width=40)
    way = Timeline(job_id="order-4711-of-a-shop-in-1", endpoint=ENDPOINT)
    console.print(live_table([way], START, width=40))
    assert isinstance(console.file, io.StringIO)
    assert "order-4711-of-a-shop-in-1 QUEUED" == console.file.getvalue().rstrip()
