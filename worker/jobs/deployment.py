"""What the processes of a deployment note in Redis about themselves, for checks of the whole.

falhook:swept      when a sweep last ran, in Unix seconds
falhook:storage    hash: `id` of the storage of the jobs, and the `url` that first named it
falhook:secrets    hash: fingerprint of a callback secret → when it last signed an address
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from redis import Redis

from worker.jobs.listing import has_jobs

SWEPT = "falhook:swept"
SECRETS = "falhook:secrets"
STORAGE = "falhook:storage"
# `make demo` and `make local` write it: infra/local/redis/external.py.
SIMULATED = "falhook:simulated"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownStorage:
    """The storage of the jobs, as Redis knows it."""

    id: str
    url: str


def known_storage(redis: Redis) -> KnownStorage | None:
    """Return the storage of the jobs; None if no worker has noted one."""
    noted = cast(dict[str, str], redis.hgetall(STORAGE))
    return KnownStorage(id=noted["id"], url=noted.get("url", "")) if noted.get("id") else None


def note_storage(redis: Redis, known: KnownStorage) -> KnownStorage:
    """Note the storage of the jobs, unless one is known; return the one that is."""
    if redis.hsetnx(STORAGE, "id", known.id):
        redis.hset(STORAGE, "url", known.url)
    return known_storage(redis) or known


def is_new(redis: Redis) -> bool:
    """Return whether nothing is stored yet: no known storage and no job, except simulated ones."""
    if known_storage(redis) is not None:
        return False
    return not has_jobs(redis) or bool(redis.exists(SIMULATED))


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
