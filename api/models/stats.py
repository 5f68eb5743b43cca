"""The numbers of a tenant's jobs."""

from pydantic import BaseModel, Field

from worker.jobs.job import JobState


class OldestJob(BaseModel):
    """The job that is longest in its state."""

    job: str = Field(description="Its id.")
    since: float = Field(description="Since when it is in this state, in Unix seconds.")
    waits: str = Field(description="Why it waits; empty if it does not.")


class RenderedToday(BaseModel):
    """What fal has rendered today (UTC)."""

    clips: int = Field(description="Renders, one for each attempt.")
    usd: str = Field(description="US dollars: the sum of the known estimates.", examples=["2.80"])


class Stats(BaseModel):
    """How many jobs there are; those in the archive do not count."""

    jobs: dict[JobState, int] = Field(description="By state.")
    open: int = Field(description="Those that have not ended.")
    oldest: dict[JobState, OldestJob] = Field(
        description="The job that is longest in each state that is not an end."
    )
    ended: dict[JobState, int] = Field(description="Those that ended in the last 24 hours.")
    today: RenderedToday
    at: float = Field(description="When they were counted, in Unix seconds.")
