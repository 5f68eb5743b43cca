"""Whether the process lives, and whether it can do its work."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass

from celery import Celery
from redis.asyncio import Redis
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from webhook.keys import Keys

# A check that hangs counts as failed after this many seconds.
CHECK_TIMEOUT = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether the process lives, and whether it can do its work."""

    keys: Keys
    redis: Redis
    celery: Celery

    async def healthz(self, _request: Request) -> Response:
        """GET /healthz: the process answers."""
        return JSONResponse({"status": "ok"})

    async def readyz(self, _request: Request) -> Response:
        """GET /readyz: 200 if Redis, broker and fal's keys can all be had, else 503 and which."""
        checks = {
            "redis": await _works(self._ping()),
            "broker": await _works(asyncio.to_thread(self._connect)),
            "keys": await _works(self.keys.current()),
        }
        ready = all(checks.values())
        words = {name: "ok" if works else "unavailable" for name, works in checks.items()}
        return JSONResponse(words, 200 if ready else 503)

    async def _ping(self) -> None:
        await self.redis.ping()

    def _connect(self) -> None:
        with self.celery.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=2)


async def _works(check: Coroutine[object, object, object]) -> bool:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            await check
    except Exception:  # noqa: BLE001  # each transport raises its own errors; the answer is a word
        return False
    return True
