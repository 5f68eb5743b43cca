"""Liveness and readiness, and that asking for them is no load."""

import asyncio
import json

import pytest
from redis.asyncio import Redis
from starlette.requests import Request

from tests.factories.callbacks import FAL_KEY, jwks
from webhook.health import HOLDS, Health
from webhook.publisher import publisher
from webhook.verification.jwks import KeySet

pytestmark = pytest.mark.anyio
REQUEST = Request({"type": "http", "method": "GET", "path": "/readyz", "headers": []})
NOBODY = "redis://127.0.0.1:1/0"


@pytest.fixture
def anyio_backend() -> str:
    """The receiver runs on asyncio."""
    return "asyncio"


class Door:
    """fal's key host; `known` says whether it has keys."""

    def __init__(self, *, known: bool = True) -> None:
        self.known = known

    async def __call__(self) -> bytes:
        if not self.known:
            raise OSError("away")
        return jwks(FAL_KEY)


async def words(health: Health) -> tuple[int, dict[str, str]]:
    """Status and words of /readyz."""
    response = await health.readyz(REQUEST)
    return response.status_code, json.loads(bytes(response.body))


@pytest.mark.parametrize("away", ["", "redis", "broker", "keys"])
async def test_readiness_names_what_cannot_be_had(redis_url: str, away: str) -> None:
    """200 if all work; else 503, and only the one that is away is unavailable."""
    celery = publisher(NOBODY if away == "broker" else redis_url)
    async with Redis.from_url(NOBODY if away == "redis" else redis_url) as redis:
        health = Health(keys=KeySet(Door(known=away != "keys")), redis=redis, celery=celery)
        names = ("redis", "broker", "keys")
        expected = {name: "unavailable" if name == away else "ok" for name in names}
        assert (503 if away else 200, expected) == await words(health)


async def test_the_process_lives_whatever_is_away() -> None:
    """Liveness asks nobody: a restart would not bring Redis back."""
    async with Redis.from_url(NOBODY) as redis:
        health = Health(keys=KeySet(Door(known=False)), redis=redis, celery=publisher(NOBODY))
        assert 200 == (await health.healthz(REQUEST)).status_code


async def test_readiness_is_asked_of_others_once_a_second(redis_url: str) -> None:
    """A hundred askers at once cost what one does; after HOLDS it is asked anew."""
    now = [100.0]
    async with Redis.from_url(redis_url) as redis:
        health = Health(
            keys=KeySet(Door()), redis=redis, celery=publisher(redis_url), clock=lambda: now[0]
        )
        await redis.config_resetstat()
        await asyncio.gather(*(health.readyz(REQUEST) for _ in range(100)))
        once = await pings(redis)
        assert once <= 2
        now[0] += HOLDS + 0.1
        await health.readyz(REQUEST)
        assert 2 * once == await pings(redis)


async def pings(redis: Redis) -> int:
    """How many PINGs came, ours and that of kombu's connection."""
    stats = await redis.info("commandstats")
    calls: int = stats["cmdstat_ping"]["calls"]
    return calls
