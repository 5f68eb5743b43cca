"""The numbers of a tenant's jobs."""

from pydantic import BaseModel, Field

from worker.jobs.job import JobState


class Stats(BaseModel):
    """How many jobs there are; those in the archive do not count."""

    jobs: dict[JobState, int] = Field(description="By state.")
    open: int = Field(description="Those that have not ended.")
    at: float = Field(description="When they were counted, in Unix seconds.")
