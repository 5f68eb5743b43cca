"""The parameters for reading jobs."""

from pydantic import BaseModel, ConfigDict, Field

from api.problems import ProblemError
from worker.jobs.job import JobState

LONGEST_WAIT = 60.0
_METADATA = "metadata."


class JobQuery(BaseModel):
    """How to read a job."""

    model_config = ConfigDict(extra="forbid")

    wait: float = Field(
        default=0.0,
        ge=0,
        le=LONGEST_WAIT,
        allow_inf_nan=False,
        description="Answer once the job has ended or, with If-None-Match, has changed; at the "
        "latest after this many seconds.",
    )


class JobsQuery(BaseModel):
    """Which jobs to list, the newest first."""

    # metadata.NAME=VALUE
    model_config = ConfigDict(extra="allow")

    state: JobState | None = Field(default=None, description="Only jobs in this state.")
    endpoint: str | None = Field(
        default=None, max_length=200, description="Only jobs of this endpoint."
    )
    cursor: str = Field(
        default="", max_length=200, description="The `cursor` of the page before this one."
    )
    limit: int = Field(default=50, ge=1, le=200, description="Jobs of the page at most.")

    @property
    def metadata(self) -> dict[str, str]:
        """The metadata that the jobs must have. Raises ProblemError for an unknown parameter."""
        extra = self.model_extra or {}
        if any(not name.startswith(_METADATA) for name in extra):
            known = ", ".join(type(self).model_fields)
            detail = f"a parameter is unknown; known are {known} and {_METADATA}NAME"
            raise ProblemError("invalid_request", detail)
        return {name.removeprefix(_METADATA): str(value) for name, value in extra.items()}
