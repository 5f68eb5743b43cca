"""A job, as the API answers it; names and units are those of the record and the command line."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from worker.jobs import job as record
from worker.jobs.explanation import reason_text, waiting_for
from worker.jobs.job import FINAL, JobState
from worker.storage.layout import MANIFEST

JobId = Field(description="The id of the job.", examples=["jf4kq2m7x3n5r6t2v"])


class Estimate(BaseModel):
    """What a job should cost, before fal's bill."""

    usd: str = Field(description="US dollars, a decimal.", examples=["1.40"])
    seconds: int = Field(description="Seconds of video.")
    rate: str
    confidence: str
    source: str = Field(description="Where the rate was read.")
    at_least: bool = Field(description="It is a lower bound: input media decide the rest.")


class Job(BaseModel):
    """A job and its present state."""

    model_config = ConfigDict(extra="forbid")

    id: str = JobId
    tenant: str = Field(description="The tenant to whom it belongs.")
    endpoint: str = Field(examples=["fal-ai/kling-video/v2.1/master/text-to-video"])
    state: JobState
    ended: bool = Field(description="Whether it has ended; only a retry continues it then.")
    arguments: dict[str, Any] = Field(description="The endpoint's inputs, as sent to fal.")
    metadata: dict[str, Any]
    options: dict[str, Any] = Field(description="fal's platform options.")
    estimate: Estimate | None = Field(description="null if its cost is not known beforehand.")
    created_at: float = Field(description="Unix seconds.")
    updated_at: float = Field(description="When its state changed last, in Unix seconds.")
    attempt: int = Field(description="POSTs to fal so far.")
    request_id: str = Field(description="fal's id of the request; empty before it was accepted.")
    step: str = Field(description="The step that failed, if one did.")
    reason: str = Field(description="The reason code, if it ended without a publication.")
    sentence: str = Field(description="What happened, and the correction.")
    why: str = Field(description="Why it waits or ended, in words; usually empty.")
    files: list[str] = Field(description="Addresses of its published files, the manifest last.")

    @classmethod
    def of(cls, job: record.Job, *, now: float) -> Self:
        """Return the job of a record; `now` is Unix seconds."""
        return cls(
            id=job.id,
            tenant=job.tenant,
            endpoint=job.endpoint,
            state=job.state,
            ended=job.state in FINAL,
            arguments=dict(job.arguments),
            metadata=dict(job.metadata),
            options=dict(job.options),
            estimate=estimate_of(job),
            created_at=job.created_at,
            updated_at=job.updated_at,
            attempt=job.attempt,
            request_id=job.request_id,
            step=job.step,
            reason=job.reason,
            sentence=job.sentence,
            why=reason_text(job) or waiting_for(job, now=now),
            files=[f"/v1/jobs/{job.id}/files/{name}" for name in _names(job)],
        )


def estimate_of(job: record.Job) -> Estimate | None:
    """Return what the job should cost; None if that was not known when it was created."""
    return Estimate.model_validate(job.estimate) if job.estimate else None


def _names(job: record.Job) -> list[str]:
    if job.state is not JobState.PUBLISHED:
        return []
    files = job.outputs.get("files")
    names = [str(name) for name in files] if isinstance(files, Mapping | list) else []
    return [*names, MANIFEST]


class JobPage(BaseModel):
    """A page of jobs, the newest first."""

    jobs: list[Job]
    cursor: str = Field(
        description="Pass it as `cursor` for the next page; empty after the last one. A page may "
        "have fewer jobs than asked for and still be followed by another."
    )
