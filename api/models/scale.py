"""How much work a pool of workers has."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class Pool(StrEnum):
    """Workers that take more work when there are more of them."""

    MEDIA = "media"
    PUBLISH = "publish"


class ScaleQuery(BaseModel):
    """Which pool to ask for."""

    model_config = ConfigDict(extra="forbid")

    pool: Pool = Field(
        description="media or publish. The pool submit has no number: fal decides how many jobs "
        "run at once, and more workers would only wait."
    )


class Scale(BaseModel):
    """The work of a pool."""

    pool: Pool
    jobs: int = Field(
        description="Jobs of every tenant that wait for a worker of the pool or that one works on: "
        "divided by what one worker does at once, the workers that there should be."
    )
    at: float = Field(description="When they were counted, in Unix seconds.")
