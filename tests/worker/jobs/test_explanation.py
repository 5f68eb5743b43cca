"""A job in words: why it waits."""

import pytest

from webhook.contract import Queue
from worker.jobs.explanation import waiting_for
from worker.jobs.job import Job, JobState

NOW = 1_700_000_000.0
NO_WORKER = "waits: no worker serves falhook.submit; start one (see the Procfile)"
LONG = "waits for a worker for more than a minute; `falhook check` shows which run"


@pytest.mark.parametrize(
    ("seconds", "unserved", "words"),
    [
        (10.0, {Queue.SUBMIT}, ""),
        (20.0, set(), ""),
        (20.0, {Queue.MEDIA}, ""),
        (20.0, {Queue.SUBMIT}, NO_WORKER),
        (70.0, set(), LONG),
        (70.0, {Queue.SUBMIT}, NO_WORKER),
    ],
)
def test_a_missing_worker_is_said_only_if_none_was_heard(
    seconds: float, unserved: set[Queue], words: str
) -> None:
    """A slow machine has workers that are late: after a minute the words are softer."""
    job = Job(id="job1", endpoint="a/b", arguments={}, updated_at=NOW - seconds)
    assert words == waiting_for(job, now=NOW, unserved=unserved)


def test_a_job_that_a_worker_has_leased_waits_for_none() -> None:
    """Rendering and transcoding may take minutes."""
    job = Job(
        id="job1",
        endpoint="a/b",
        arguments={},
        state=JobState.DOWNLOADED,
        updated_at=NOW - 500,
        lease_until=NOW + 10,
    )
    assert "" == waiting_for(job, now=NOW, unserved={Queue.MEDIA})
