"""Redis or storage that does not answer while jobs are created, and ids of rejected requests."""

import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import TimeoutError as RedisTimeoutError

from tests.factories.batches import IMAGE, TEXT
from tests.factories.cli import FOX, Run, error_of, jobs, refused, submitted
from tests.factories.listed import count_of, jobs_of
from webhook.contract import Task
from worker.errors import Transient
from worker.jobs.job import Job, JobState
from worker.jobs.store import JobStore
from worker.storage import Storage


def unanswered(patched: pytest.MonkeyPatch, *, numbers: Iterable[int] = (1,)) -> None:
    """Let Redis store a job but not answer, at these calls of `JobStore.added`."""
    added, calls = JobStore.added, itertools.count(1)

    def silent(records: JobStore, job: Job, **named: Any) -> Job | None:
        stored = added(records, job, **named)
        if next(calls) in numbers:
            raise RedisTimeoutError("Timeout reading from socket")
        return stored

    patched.setattr(JobStore, "added", silent)


@pytest.mark.parametrize("own", [(), ("--id", "x1")])
def test_an_unanswered_creation_is_reported_with_the_id(
    run: Run, records: JobStore, monkeypatch: pytest.MonkeyPatch, own: tuple[str, ...]
) -> None:
    """The job may exist; repeating the command with its id creates no second one."""
    with monkeypatch.context() as patched:
        unanswered(patched)
        stderr = refused(run, *FOX, *own)
    (job,) = jobs_of(records)
    assert "did not answer in time: Timeout reading from socket. The job may have been" in stderr
    assert (
        f"created as {job.id}: repeat the command with --id {job.id} to create no second" in stderr
    )
    done = run("submit", *FOX, "--id", job.id)
    assert (0, True) == (done.exit_code, "This job exists already" in done.stdout)
    assert 1 == len(jobs_of(records))


def test_an_unanswered_creation_of_a_row_is_reported(
    run: Run, home: Path, records: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The count mentions the row, and a rerun creates only the others."""
    path = jobs(home, "a", "b", "c")
    with monkeypatch.context() as patched:
        unanswered(patched, numbers=(2,))
        done = run("submit", "--from", str(path), "--yes")
    assert 2 == done.exit_code
    assert "1 of 3 jobs created, and perhaps that of line 2; run the same" in done.stderr
    assert "Redis at REDIS_URL did not answer in time" in done.stderr
    done = run("submit", "--from", str(path), "--yes")
    assert "1 created, 2 existed already." in done.stderr
    assert 3 == len(jobs_of(records))


def test_unavailable_storage_is_reported_with_the_line(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason code is the storage's, since the row is valid; the run can be repeated."""

    def away(*_: object, **__: object) -> None:
        raise Transient("storage_unavailable", "the storage does not answer")

    monkeypatch.setattr(Storage, "put", away)
    path = home / "jobs.csv"
    path.write_text("prompt,image_url\na,cat.png\n")
    error = error_of(run, "--from", str(path), IMAGE, "--yes")
    assert ("storage_unavailable", 2) == (error["reason"], error["problems"][0]["line"])


def test_a_corrected_request_may_use_the_id_of_a_rejected_message(
    run: Run, home: Path, records: JobStore
) -> None:
    """From flags or from a file, it counts as new and is one job."""
    for job_id in ("x1", "x2"):
        refusal = Job(
            id=job_id, endpoint=TEXT, arguments={}, state=JobState.FAILED, step=Task.CREATE
        )
        records.add(refusal, due=0, event={"name": "created"})
    assert submitted(run, *FOX, "--id", "x1")["new"]
    path = home / "jobs.csv"
    path.write_text("id,prompt\nx2,A cat\n")
    dry = run("submit", "--from", str(path), TEXT, "--dry-run")
    assert "1 job, about $1.40." in dry.stderr
    assert "1 created, 0 existed" in run("submit", "--from", str(path), TEXT, "--yes").stderr
    assert (0, 2) == (count_of(records, JobState.FAILED), count_of(records, JobState.QUEUED))
