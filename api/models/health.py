"""Whether the API can do its work."""

from pydantic import BaseModel


class Health(BaseModel):
    """The process is alive."""

    status: str


class Readiness(BaseModel):
    """`ok` or `unavailable`, for each part that creating a job needs."""

    redis: str
    broker: str
