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
    """All the states that fal's queue has; a render that failed is completed too."""

    IN_QUEUE = "IN_QUEUE"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"


def new_request_id() -> str:
    """Return a UUID of version 7 (RFC 9562, 5.7): ordered by time, otherwise random."""
    milliseconds = time.time_ns() // 1_000_000
    value = milliseconds << 80 | 0x7 << 76 | secrets.randbits(12) << 64
    return str(uuid.UUID(int=value | 0b10 << 62 | secrets.randbits(62)))


@dataclass(slots=True, kw_only=True, eq=False)
class RenderJob:
    """A request and what became of it so far; lives as long as the simulation."""

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
    out_of_turn: bool = False
    partner: "RenderJob | None" = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def app(self) -> str:
        """Return ``owner/alias``, which is all that the request's URLs hold of the endpoint."""
        return app_of(self.endpoint)

    @property
    def result(self) -> RenderResult:
        """Return the outcome of a completed job."""
        assert self.outcome is not None, "the job is not completed"
        return self.outcome

    def described(self, origin: str) -> dict[str, Any]:
        """Return the request's state and its URLs below `origin`, as fal's answers tell them."""
        base = f"{origin}/{self.app}/requests/{self.request_id}"
        return {
            "status": self.state,
            "request_id": self.request_id,
            "response_url": base,
            "status_url": f"{base}/status",
            "cancel_url": f"{base}/cancel",
        }

    def complete(self, outcome: RenderResult, *, now: float) -> None:
        """Store `outcome`; `now` is fal's time, from which the result's life is counted."""
        self.outcome, self.completed_at, self.state = outcome, now, State.COMPLETED
        self.ended.set()
