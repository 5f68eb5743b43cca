"""Whether the process is alive, and whether it can take requests; both need no key."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from celery import Celery
from redis import Redis
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.dispatch import json_response
from api.models.health import Health as HealthBody
from api.models.health import Readiness
from api.operation import Answer, Call, Operation
from webhook.redis.probe import probe, probe_broker

# Seconds for which a result is reused, so that requests do not become load on Redis and broker.
CACHE_SECONDS = 1.0


@dataclass(slots=True, kw_only=True)
class Health:
    """The handlers of /healthz and /readyz; `clock` is monotonic seconds."""

    redis: Redis
    celery: Celery
    clock: Callable[[], float] = time.monotonic
    _checking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _checked_at: float = float("-inf")
    _found: Readiness | None = None

    async def healthz(self, _call: Call) -> Response:
        """Answer GET /healthz: always 200."""
        return json_response(HealthBody(status="ok"))

    async def readyz(self, _call: Call) -> Response:
        """Answer GET /readyz: 200 if Redis and broker take writes, else 503."""
        async with self._checking:
            if self._found is None or self.clock() - self._checked_at > CACHE_SECONDS:
                self._found = Readiness(
                    redis=await _works(lambda: probe(self.redis)),
                    broker=await _works(self._connect),
                )
                self._checked_at = self.clock()
        ready = self._found.redis == self._found.broker == "ok"
        return json_response(self._found, status=200 if ready else 503)

    def _connect(self) -> None:
        with self.celery.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=2)
            probe_broker(connection)


async def _works(check: Callable[[], None]) -> str:
    try:
        await run_in_threadpool(check)
    except Exception:  # noqa: BLE001  # each transport raises its own errors
        return "unavailable"
    return "ok"


def operations(health: Health) -> Sequence[Operation]:
    """Return the operations on health."""
    not_ready = Answer("Redis or the broker takes no writes.", Readiness)
    return (
        Operation(
            method="GET",
            path="/healthz",
            name="getHealth",
            summary="Whether the process is alive",
            tag="health",
            handler=health.healthz,
            scope=None,
            answers={200: Answer("It is.", HealthBody)},
        ),
        Operation(
            method="GET",
            path="/readyz",
            name="getReadiness",
            summary="Whether jobs can be created",
            tag="health",
            handler=health.readyz,
            scope=None,
            answers={200: Answer("They can.", Readiness), 503: not_ready},
        ),
    )
