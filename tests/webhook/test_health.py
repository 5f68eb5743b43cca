"""Liveness and readiness; frequent requests for them cause no load."""

import asyncio
import json

import pytest
from redis.asyncio import Redis
from starlette.requests import Request

from tests.factories.callbacks import FAL_KEY, jwks
from webhook.health import CACHE_SECONDS, Health
from webhook.publisher import publishing_app
from webhook.verification.jwks import KeySet

pytestmark = pytest.mark.anyio
REQUEST = Request({"type": "http", "method": "GET", "path": "/readyz", "headers": []})
UNUSED_URL = "redis://127.0.0.1:1/0"


@pytest.fixture
def anyio_backend() -> str:
    """The receiver runs on asyncio."""
    return "asyncio"


class KeyHost:
    """fal's key host; `up` is whether it serves keys."""

    def __init__(self, *, up: bool = True) -> None:
        self.up = up

    async def __call__(self) -> bytes:
        if not self.up:
            raise OSError("away")
        return jwks(FAL_KEY)


async def readiness(health: Health) -> tuple[int, dict[str, str]]:
    """Return status and body of /readyz."""
    response = await health.readyz(REQUEST)
    return response.status_code, json.loads(bytes(response.body))


@pytest.mark.parametrize("away", ["", "redis", "broker", "keys"])
async def test_readiness_names_what_is_unavailable(redis_url: str, away: str) -> None:
    """The status is 200 if all work, else 503; only the missing one is unavailable."""
    celery = publishing_app(UNUSED_URL if away == "broker" else redis_url)
    async with Redis.from_url(UNUSED_URL if away == "redis" else redis_url) as redis:
        health = Health(keys=KeySet(KeyHost(up=away != "keys")), redis=redis, celery=celery)
        names = ("redis", "broker", "keys")
        expected = {name: "unavailable" if name == away else "ok" for name in names}
        assert (503 if away else 200, expected) == await readiness(health)


async def test_liveness_depends_on_nothing_else() -> None:
    """It is 200 without Redis, broker and keys: a restart would not bring them back."""
    async with Redis.from_url(UNUSED_URL) as redis:
        health = Health(
            keys=KeySet(KeyHost(up=False)), redis=redis, celery=publishing_app(UNUSED_URL)
        )
        assert 200 == (await health.healthz(REQUEST)).status_code


async def test_readiness_is_checked_once_a_second(redis_url: str) -> None:
    """A hundred concurrent requests share one check, until CACHE_SECONDS have passed."""
    now = [100.0]
    async with Redis.from_url(redis_url) as redis:
        health = Health(
            keys=KeySet(KeyHost()),
            redis=redis,
            celery=publishing_app(redis_url),
            clock=lambda: now[0],
        )
        await redis.config_resetstat()
        await asyncio.gather(*(health.readyz(REQUEST) for _ in range(100)))
        once = await pings(redis)
        assert once <= 2
        now[0] += CACHE_SECONDS + 0.1
        await health.readyz(REQUEST)
        assert 2 * once == await pings(redis)


async def pings(redis: Redis) -> int:
    """Return how many PINGs Redis got, ours and kombu's."""
    stats = await redis.info("commandstats")
    calls: int = stats["cmdstat_ping"]["calls"]
    return calls
