"""A Redis that REDIS_URL names: used only where no real job can be taken over.

Simulated workers would bring the jobs of a real deployment to the simulated fal, and its clips
would be published in place of paid ones.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import cast

import redis

from infra.local.redis.binary import RedisNotStarted

MARKER = "falhook:simulated"
"""String, when it was set: every job in this Redis is one of the local stack."""

_SECONDS = 3
_QUEUES = ("submit", "callbacks", "media", "publish")
_SCANNED = 10_000


def claim(url: str) -> None:
    """Mark the Redis as one of simulated jobs; a mark from before stays.

    Raises RedisNotStarted if it does not answer, or holds anything of falhook's or of its queues
    without the mark; then nothing is changed there.
    """
    try:
        with redis.Redis.from_url(
            url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS
        ) as client:
            if not client.exists(MARKER) and (found := _found(client)):
                raise RedisNotStarted(_refusal(client, found))
            mark(client)
    except (redis.RedisError, ValueError) as error:
        raise RedisNotStarted(
            f"REDIS_URL is set, but no Redis that can be used answers there ({error}). Start it, "
            "correct REDIS_URL, or unset it to have an embedded one."
        ) from None


def mark(client: redis.Redis) -> None:
    """Mark the Redis, if it is not marked already. Raises redis.RedisError."""
    client.set(MARKER, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), nx=True)


def _found(client: redis.Redis) -> str:
    """What is there of a deployment, in words; empty if nothing is."""
    if client.type("falhook:jobs") == b"zset":
        jobs = client.zcard("falhook:jobs")
        return f"{jobs:,} job{'s' * (jobs != 1)} of falhook"
    key = next(_traces(client), None)
    return "" if key is None else f"{key.decode(errors='replace')}, which is falhook's"


def _traces(client: redis.Redis) -> Iterator[bytes]:
    for queue in _QUEUES:
        for key in (queue, f"_kombu.binding.{queue}"):
            if client.exists(key):
                yield key.encode()
    yield from cast(Iterator[bytes], client.scan_iter("falhook:*", count=_SCANNED))


def _refusal(client: redis.Redis, found: str) -> str:
    given = client.connection_pool.connection_kwargs
    place = given.get("path") or f"{given.get('host')}:{given.get('port')}"
    return (
        f"REDIS_URL names {place}, database {given.get('db') or 0}, which holds {found}: it may be "
        "a real deployment's, and simulated workers would take its jobs over. Unset REDIS_URL to "
        "have an embedded Redis, or name an empty database, such as redis://localhost:6379/9."
    )
