"""What the processes of a deployment note in Redis about themselves, for checks of the whole.

falhook:swept      when a sweep last ran, in Unix seconds
falhook:secrets    hash: fingerprint of a callback secret → when it last signed an address
"""

import hmac
from collections.abc import Mapping
from typing import cast

from redis import Redis

SWEPT = "falhook:swept"
SECRETS = "falhook:secrets"


def note_sweep(redis: Redis, now: float) -> None:
    """Note that a sweep ran."""
    redis.set(SWEPT, f"{now:.3f}")


def swept_at(redis: Redis) -> float | None:
    """Return when a sweep last ran; None if none ever did."""
    value = cast(str | None, redis.get(SWEPT))
    return None if value is None else float(value)


def note_secret(redis: Redis, secret: str, now: float) -> None:
    """Note that the secret signs an address now."""
    redis.hset(SECRETS, fingerprint(secret), f"{now:.3f}")


def secrets_used(redis: Redis) -> Mapping[str, float]:
    """Return when each secret, by its fingerprint, last signed an address."""
    noted = cast(dict[str, str], redis.hgetall(SECRETS))
    return {name: float(at) for name, at in noted.items()}


def fingerprint(secret: str) -> str:
    """Return a name for the secret from which it cannot be found: 64 bits of an HMAC with it."""
    return hmac.digest(secret.encode(), b"falhook fingerprint of a secret", "sha256")[:8].hex()
