"""Many jobs in one request, and what became of each."""

from pydantic import BaseModel, Field, RootModel

from api.models.creation import JobCreation, Trial
from api.models.job import Job
from api.models.problem import Problem


class BatchEntry(JobCreation):
    """One job of a batch."""

    key: str = Field(
        min_length=1,
        max_length=255,
        description="Its Idempotency-Key: the same key is always the same job.",
    )


class BatchCreation(RootModel[list[BatchEntry]]):
    """The jobs of a batch."""


class BatchResult(BaseModel):
    """What became of one entry; one of `job`, `trial` and `problem` is set."""

    key: str
    status: int = Field(description="The status that the entry alone would have: 201, 200, 422 …")
    replayed: bool = Field(default=False, description="Whether its job existed before.")
    job: Job | None = None
    trial: Trial | None = None
    problem: Problem | None = None


class BatchAnswer(BaseModel):
    """What became of a batch, in the order of its entries."""

    results: list[BatchResult]
    created: int
    replayed: int
    failed: int
