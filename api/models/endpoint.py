"""Endpoints: receivers of webhooks."""

from pydantic import BaseModel, ConfigDict, Field

from worker.notifications.endpoint import Kind, State
from worker.notifications.event_types import EVERY


class EndpointCreation(BaseModel):
    """An endpoint to add."""

    model_config = ConfigDict(extra="forbid", strict=True)

    url: str | None = Field(
        default=None,
        max_length=2_000,
        description="The https address that is told; null with `for_jobs`.",
        examples=["https://hooks.example.com/falhook"],
    )
    for_jobs: bool = Field(
        default=False, description="Make keys that sign for the addresses that jobs name."
    )
    events: list[str] = Field(
        default_factory=list,
        max_length=50,
        description=f"Types of events, or {EVERY}; by default the four ends of a job.",
        examples=[["job.published", "job.failed"]],
    )
    description: str = Field(default="", max_length=1_000, description="Whose it is, for people.")
    ordered: bool = Field(
        default=False,
        description="One message at a time, in order; a failing one holds up all others.",
    )
    prompt: bool = Field(default=False, description="Messages have the prompt.")


class Endpoint(BaseModel):
    """What is known of an endpoint: all but its keys."""

    id: str
    tenant: str
    url: str
    kind: Kind
    events: list[str]
    description: str
    ordered: bool
    prompt: bool
    state: State
    why: str = Field(description="Why it is disabled: `by_hand`, `gone` or `failing`.")
    created_at: float = Field(description="Unix seconds.")
    failures: int = Field(description="Failed attempts since the last one that succeeded.")
    failing_since: float | None


class EndpointKeys(BaseModel):
    """An endpoint with keys that were made; nothing shows the secret again."""

    endpoint: Endpoint
    secret: str = Field(description="For the receiver: it verifies `v1` with it.")
    public_key: str = Field(description="It verifies `v1a`, and cannot sign.")


class EndpointList(BaseModel):
    """The endpoints of the tenant, the oldest first."""

    endpoints: list[Endpoint]


class Sample(BaseModel):
    """The name of a sample that is sent within seconds."""

    delivery: str = Field(description="GET /v1/deliveries/{id} has the answer of the endpoint.")
