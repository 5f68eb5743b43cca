"""One request in fal's queue, from its acceptance to its stored result."""

import asyncio
import secrets
import time
import uuid
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from infra.local.fal.errors import RenderResult
from infra.local.fal.mishaps import Mishaps
from infra.local.fal.models import app_of


class State(StrEnum):
    """The states of a request in fal's queue; a failed render is COMPLETED too."""

    IN_QUEUE = "IN_QUEUE"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"


def new_request_id() -> str:
    """Return a UUID of version 7 (RFC 9562, 5.7): ordered by time, random otherwise."""
    milliseconds = time.time_ns() // 1_000_000
    value = milliseconds << 80 | 0x7 << 76 | secrets.randbits(12) << 64
    return str(uuid.UUID(int=value | 0b10 << 62 | secrets.randbits(62)))


@dataclass(slots=True, kw_only=True, eq=False)
class RenderJob:
    """A request and its progress, stored as long as the simulation runs."""

    endpoint: str
    arguments: Any
    webhook: str | None
    mishaps: Mishaps
    headers: dict[str, str] = field(default_factory=dict)
    request_id: str = field(default_factory=new_request_id)
    state: State = State.IN_QUEUE
    outcome: RenderResult | None = None
    completed_at: float | None = None
    tries: int = 0
    answers: list[int | None] = field(default_factory=list)
    after_next_job: bool = False
    next_job: "RenderJob | None" = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def app(self) -> str:
        """Return the app of the endpoint, the part of it in the request's URLs."""
        return app_of(self.endpoint)

    @property
    def result(self) -> RenderResult:
        """Return the outcome of a completed job."""
        assert self.outcome is not None, "the job is not completed"
        return self.outcome

    def queue_status(self, origin: str) -> dict[str, Any]:
        """Return the request's state and its URLs below `origin`, in fal's format."""
        base = f"{origin}/{self.app}/requests/{self.request_id}"
        return {
            "status": self.state,
            "request_id": self.request_id,
            "response_url": base,
            "status_url": f"{base}/status",
            "cancel_url": f"{base}/cancel",
        }

    def complete(self, outcome: RenderResult, *, now: float) -> None:
        """Store `outcome`; the result expires a fixed time after `now`, in fal's time."""
        self.outcome, self.completed_at, self.state = outcome, now, State.COMPLETED
        self.ended.set()
