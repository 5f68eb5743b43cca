"""The parameters for reading events."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from worker.jobs.job import JobState


def _separated(value: object) -> object:
    return value.split(",") if isinstance(value, str) else value


class EventsQuery(BaseModel):
    """Which events, and from where on."""

    model_config = ConfigDict(extra="forbid")

    after: str = Field(
        default="",
        max_length=2_000,
        description="The `cursor` of a page, or the id of an event. A stream without it begins "
        "now, a page at the oldest event that is kept.",
    )
    cursor: str = Field(
        default="",
        max_length=64,
        description="Read a page from the cursor that is stored under this name instead.",
    )
    limit: int = Field(default=100, ge=1, le=500, description="Events of a page at most.")
    state: Annotated[list[JobState], BeforeValidator(_separated)] = Field(
        default_factory=list, description="Only changes to these states, comma-separated."
    )
    name: Annotated[list[str], BeforeValidator(_separated)] = Field(
        default_factory=list,
        max_length=20,
        description="Only events with these names, comma-separated: `moved`, `progress`, …",
    )
