"""Deliveries: what endpoints were told, and what they answered."""

from pydantic import BaseModel, ConfigDict, Field

from worker.notifications.history import DeliveryState


class DeliveriesQuery(BaseModel):
    """Which deliveries to list."""

    model_config = ConfigDict(extra="forbid")

    endpoint: str | None = Field(default=None, description="Only those of this endpoint.")
    job: str | None = Field(default=None, description="Only those about this job.")
    state: DeliveryState | None = Field(default=None, description="Only those in this state.")
    since: float | None = Field(
        default=None,
        ge=0,
        allow_inf_nan=False,
        description="Only those of events since then, in Unix seconds.",
    )
    limit: int = Field(default=50, ge=1, le=200)


class Attempt(BaseModel):
    """One attempt."""

    at: float = Field(description="When it began, in Unix seconds.")
    ms: int = Field(description="How long it took.")
    status: int = Field(description="The status that was answered; 0 for none.")
    error: str = Field(description="The class of the error; empty for a success.")


class Delivery(BaseModel):
    """What an endpoint is told of one event."""

    id: str
    endpoint: str
    message: str = Field(description="The header webhook-id, the same at each attempt.")
    type: str
    job: str | None
    n: int
    at: float = Field(description="When the event happened, in Unix seconds.")
    state: DeliveryState
    due_at: float | None = Field(description="When the next attempt is due.")
    attempts: list[Attempt]
    answer: str = Field(description="The beginning of the latest answer, unless it was a success.")


class DeliveryList(BaseModel):
    """Deliveries, the latest event first."""

    deliveries: list[Delivery]


class Resending(BaseModel):
    """Which deliveries of an endpoint to send again."""

    model_config = ConfigDict(extra="forbid")

    since: float = Field(
        ge=0, allow_inf_nan=False, description="Those of events since then, in Unix seconds."
    )
    delivered: bool = Field(default=False, description="Also those that were accepted.")


class Resent(BaseModel):
    """How many will be sent again."""

    resent: int
