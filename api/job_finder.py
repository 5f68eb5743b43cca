"""Finds a tenant's job, in Redis or among the archived ones."""

from collections.abc import Callable
from dataclasses import dataclass

from api.problems import ProblemError
from webhook.contract import JOB_ID
from worker.jobs.job import Job
from worker.jobs.store import JobStore


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFinder:
    """Finds jobs; `archived` returns the archived job with an id, or None."""

    store: JobStore
    archived: Callable[[str], Job | None]

    def find(self, job_id: str, tenant: str) -> Job:
        """Return the tenant's job. Raises ProblemError, the same for a job of another tenant."""
        if JOB_ID.fullmatch(job_id) is not None:
            # Another tenant's job takes the same way as one that does not exist, and as long.
            for read in (self.store.get, self.archived):
                job = read(job_id)
                if job is not None and job.tenant == tenant:
                    return job
        raise ProblemError("not_found", "the job does not exist; GET /v1/jobs lists yours")
