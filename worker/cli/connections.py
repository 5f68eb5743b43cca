"""Connections of a command to Redis and the broker, and the job that it names."""

from webhook import log as logs
from webhook.settings import Connections
from worker.cli.errors import CliError
from worker.jobs.job import Job
from worker.jobs.store import JobStore, connect


def connections() -> Connections:
    """The connections that the environment names; raises SettingsError without them."""
    settings = Connections.from_env()
    logs.configure(level="WARNING", form=settings.log_format)
    return settings


def records() -> JobStore:
    """The job records, surely reachable."""
    found = JobStore(connect(connections().redis_url))
    found.redis.ping()
    return found


def job_of(found: JobStore, job_id: str) -> Job:
    """The job, or a Problem that names what was asked for."""
    job = found.get(job_id)
    if job is None:
        raise CliError(f"There is no job {job_id}. `falhook list` shows the newest ones.")
    return job
