"""Job ids, and the decoding of records."""

from webhook.contract import JOB_ID
from worker.jobs.job import Job, JobState, new_job_id


def test_ids_are_unique_and_valid_in_an_address() -> None:
    """A thousand new ids differ, and each is valid in a callback address."""
    ids = {new_job_id() for _ in range(1000)}
    assert 1000 == len(ids)
    assert all(JOB_ID.fullmatch(job_id) for job_id in ids)


def test_a_record_of_an_older_version_reads() -> None:
    """Missing fields have their defaults, and unknown fields are ignored."""
    record = {"id": "a", "endpoint": "e", "arguments": "{}", "state": "QUEUED", "gone": "1"}
    assert (JobState.QUEUED, 0, "") == (
        (job := Job.decode(record)).state,
        job.posted,
        job.lease_owner,
    )
