"""API keys and their store."""

from collections.abc import Callable

from redis import Redis

from tests.factories.world import ManualClock
from worker.api_keys.api_key import ApiKey
from worker.api_keys.scopes import USUAL, Scope
from worker.api_keys.store import ApiKeys
from worker.api_keys.token import Token

SECRET = "0123456789abcdef"


def store(
    redis: Redis,
    *,
    secrets: tuple[str, ...] = (SECRET,),
    clock: Callable[[], float] | None = None,
    make: Callable[[], Token] = Token.make,
) -> ApiKeys:
    """Return the keys of this Redis."""
    return ApiKeys(redis, secrets, clock or ManualClock(), make=make)


def added(
    keys: ApiKeys,
    name: str = "web-shop",
    *,
    tenant: str = "default",
    scopes: frozenset[Scope] = USUAL,
    expires_at: float | None = None,
) -> tuple[ApiKey, str]:
    """Return a new key and the text of its token."""
    key, token = keys.add(name, tenant=tenant, scopes=scopes, expires_at=expires_at)
    return key, token.text
