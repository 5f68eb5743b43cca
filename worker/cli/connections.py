"""Connections of a command: the job store in Redis, and the job that an argument names."""

from typing import TYPE_CHECKING

from webhook.settings.redis_url import read_redis_url
from worker.cli.errors import CliError

if TYPE_CHECKING:
    from worker.jobs.job import Job
    from worker.jobs.store import JobStore


def open_store() -> "JobStore":
    """Return the job store at REDIS_URL.

    Raises SettingsError if REDIS_URL is missing, RedisError if Redis cannot be reached.
    """
    url = read_redis_url()
    from worker.jobs.store import JobStore, connect

    store = JobStore(connect(url))
    store.redis.ping()
    return store


def find_job(store: "JobStore", job_id: str) -> "Job":
    """Return the job, or raise a CliError that names the id."""
    job = store.get(job_id)
    if job is None:
        raise no_job(job_id)
    return job


def find_archived(store: "JobStore", job_id: str) -> "tuple[Job | None, str]":
    """Return the job and the address of its record in storage; None if it was not archived.

    Raises CliError if FALHOOK_STORAGE_URL names no storage.
    """
    from worker.retention.archive import Archive
    from worker.settings.creation import CreationSettings
    from worker.storage import Storage

    def storage() -> Storage:
        try:
            return Storage.existing(CreationSettings.from_env().storage_url)
        except ValueError as error:
            raise CliError(f"{error}. The job may be archived there.") from None

    archive = Archive(redis=store.redis, storage=storage)
    job = archive.get(job_id)
    return job, archive.address(job_id) if job else ""


def no_job(job_id: str) -> CliError:
    """Return the error about an id without a job."""
    return CliError(f"Job {job_id} does not exist; `falhook list` shows the newest jobs.")
