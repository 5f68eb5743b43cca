"""Job ids, and what a record tells."""

from webhook.contract import JOB_ID
from worker.jobs.job import Job, JobState, new_job_id


def test_ids_are_fresh_and_fit_an_address() -> None:
    """A thousand ids are a thousand, and each may stand in a callback address."""
    ids = {new_job_id() for _ in range(1000)}
    assert 1000 == len(ids)
    assert all(JOB_ID.fullmatch(job_id) for job_id in ids)


def test_a_record_of_an_older_version_reads() -> None:
    """Fields that a record lacks have their defaults, fields it has beside them do no harm."""
    record = {"id": "a", "endpoint": "e", "arguments": "{}", "state": "QUEUED", "gone": "1"}
    assert (JobState.QUEUED, 0, "") == (
        (job := Job.decode(record)).state,
        job.posted,
        job.lease_owner,
    )
