"""Pages of events, and cursors that are stored by name."""

from pydantic import BaseModel, ConfigDict, Field

from api.models.event import JobEvent


class EventPage(BaseModel):
    """Events, the oldest first."""

    events: list[JobEvent]
    cursor: str = Field(description="Pass it as `after`, or acknowledge it under a name.")
    more: bool = Field(description="Whether there are more to be read at once.")
    gap: bool = Field(
        description="Events after the cursor are forgotten: GET /v1/jobs says what changed."
    )


class StoredCursor(BaseModel):
    """A cursor under a name; it moves only when it is acknowledged."""

    name: str
    cursor: str
    acknowledged: float = Field(description="When it last moved, in Unix seconds.")


class StoredCursorList(BaseModel):
    """The tenant's cursors, by name."""

    cursors: list[StoredCursor]


class Acknowledgement(BaseModel):
    """What the reader has handled."""

    model_config = ConfigDict(extra="forbid", strict=True)

    cursor: str = Field(max_length=2_000, description="The `cursor` of a page, or an event's id.")
    reset: bool = Field(default=False, description="Move it back as well.")
