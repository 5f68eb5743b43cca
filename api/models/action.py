"""Actions on a job, and their answers."""

from pydantic import BaseModel, ConfigDict, Field

from api.models.job import Estimate, Job


class Cancelled(BaseModel):
    """A job that was cancelled."""

    job: Job
    sentence: str = Field(description="What that means for fal and its bill.")


class Continuation(BaseModel):
    """How an ended job continues."""

    model_config = ConfigDict(extra="forbid", strict=True)

    allow_pay: bool = Field(
        default=False, description="Continue it also if that sends it to fal, which may bill it."
    )
    resubmit: bool = Field(
        default=False,
        description="Send it to fal also if fal had it before; it may be billed again.",
    )
    dry_run: bool = Field(default=False, description="Only say whether it would pay.")


class Continued(BaseModel):
    """What continuing a job did, or would do for `dry_run`."""

    job: Job
    dry_run: bool
    will_pay: bool = Field(description="Whether it is sent to fal, which may bill it.")
    estimate: Estimate | None = Field(description="What that should cost, if it is known.")
