"""Whether the process lives, and whether it can do its work."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping

from celery import Celery
from redis.asyncio import Redis
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from webhook.verification.jwks import KeySet

# A check that hangs counts as failed after this many seconds.
CHECK_TIMEOUT = 3.0
# Seconds for which an answer holds, so that nobody's asking becomes a load on Redis and broker.
HOLDS = 1.0


class Health:
    """Whether the process lives, and whether it can do its work; `clock` is monotonic seconds."""

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
        """GET /healthz: the process answers."""
        return JSONResponse({"status": "ok"})

    async def readyz(self, _request: Request) -> Response:
        """GET /readyz: 200 if Redis, broker and fal's keys can all be had, else 503 and which."""
        async with self._checking:
            if self._clock() - self._checked_at > HOLDS:
                self._checks = await self._check()
                self._checked_at = self._clock()
        words = {name: "ok" if works else "unavailable" for name, works in self._checks.items()}
        return JSONResponse(words, 200 if all(self._checks.values()) else 503)

    async def _check(self) -> Mapping[str, bool]:
        checks = {
            "redis": _works(self._ping()),
            "broker": _works(asyncio.to_thread(self._connect)),
            "keys": _works(self._keys.current()),
        }
        return dict(zip(checks, await asyncio.gather(*checks.values()), strict=True))

    async def _ping(self) -> None:
        await self._redis.ping()

    def _connect(self) -> None:
        with self._celery.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=2)


async def _works(check: Coroutine[object, object, object]) -> bool:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            await check
    except Exception:  # noqa: BLE001  # each transport raises its own errors; the answer is a word
        return False
    return True
