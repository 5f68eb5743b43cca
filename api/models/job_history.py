"""The history of one job."""

from pydantic import BaseModel

from api.models.event import JobEvent


class JobHistory(BaseModel):
    """The events of one job, the oldest first; a very long history has lost its first."""

    events: list[JobEvent]
