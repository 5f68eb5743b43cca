"""The liveness and readiness endpoints."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping

from celery import Celery
from redis.asyncio import Redis
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from webhook.redis.probe import PROBE, PROBE_KEY, probe_broker
from webhook.verification.jwks import KeySet

# Seconds after which a check that hangs counts as failed.
CHECK_TIMEOUT = 3.0
# Seconds for which a result is reused, so that requests do not become load on Redis and broker.
CACHE_SECONDS = 1.0


class Health:
    """The handlers of /healthz and /readyz; `clock` is monotonic seconds."""

    def __init__(
        self,
        *,
        keys: KeySet,
        redis: Redis,
        celery: Celery,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = keys
        self._redis = redis
        self._celery = celery
        self._clock = clock
        self._checking = asyncio.Lock()
        self._checked_at = float("-inf")
        self._checks: Mapping[str, bool] = {}

    async def healthz(self, _request: Request) -> Response:
        """Answer GET /healthz: always 200."""
        return JSONResponse({"status": "ok"})

    async def readyz(self, _request: Request) -> Response:
        """Answer GET /readyz: 200 if Redis, broker and fal's keys are available, else 503."""
        async with self._checking:
            if self._clock() - self._checked_at > CACHE_SECONDS:
                self._checks = await self._check()
                self._checked_at = self._clock()
        report = {name: "ok" if works else "unavailable" for name, works in self._checks.items()}
        return JSONResponse(report, 200 if all(self._checks.values()) else 503)

    async def _check(self) -> Mapping[str, bool]:
        checks = {
            "redis": _works(probe(self._redis)),
            "broker": _works(asyncio.to_thread(self._connect)),
            "keys": _works(self._keys.current()),
        }
        return dict(zip(checks, await asyncio.gather(*checks.values()), strict=True))

    def _connect(self) -> None:
        with self._celery.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=2)
            probe_broker(connection)


async def probe(redis: Redis) -> None:
    """Return if Redis takes writes as the inbox makes them; else raise what redis-py raises."""
    script = redis.register_script(PROBE)
    written: Awaitable[object] = script(keys=[PROBE_KEY], args=[])
    await written


async def _works(check: Coroutine[object, object, object]) -> bool:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            await check
    except Exception:  # noqa: BLE001  # each transport raises its own errors
        return False
    return True
