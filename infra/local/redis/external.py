"""The check that the Redis of REDIS_URL holds no data of a real deployment.

Otherwise the local workers would submit the deployment's jobs to the simulated fal and publish its
clips in place of paid ones.
"""

import time
from collections.abc import Iterator
from typing import cast

import redis

from infra.local.redis.binary import RedisNotStarted

MARKER = "falhook:simulated"
"""Key that says that every job in this Redis is simulated; its value is the time it was set."""

STORAGE = "falhook:storage"
"""Key with the id of the storage that the jobs of this Redis have."""

_SECONDS = 3
_QUEUES = (
    "falhook.submit",
    "falhook.callbacks",
    "falhook.media",
    "falhook.publish",
    "falhook.notify",
)
# The sorted sets of jobs: one for each shard, and the one of version 0.1.
_JOBS = (*(f"falhook:{{{shard:02x}}}:jobs" for shard in range(64)), "falhook:jobs")
_SCANNED = 10_000


def claim(url: str) -> None:
    """Mark the Redis as holding simulated jobs; an existing mark is kept.

    Raise RedisNotStarted if it does not answer, or if it holds a key or a queue of falhook but no
    mark. Nothing is written in that case.
    """
    try:
        with redis.Redis.from_url(
            url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS
        ) as client:
            if not client.exists(MARKER) and (contents := _deployment_contents(client)):
                raise RedisNotStarted(_refusal(client, contents))
            mark(client)
            # Each stack has a storage of its own, and the jobs of earlier ones were simulated too.
            client.delete(STORAGE)
    except (redis.RedisError, ValueError) as error:
        raise RedisNotStarted(
            f"REDIS_URL does not name a usable Redis ({error}). Start it, correct REDIS_URL, or "
            "unset it to use an embedded one."
        ) from None


def mark(client: redis.Redis) -> None:
    """Mark the Redis unless it is marked already. Raise redis.RedisError."""
    client.set(MARKER, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), nx=True)


def _deployment_contents(client: redis.Redis) -> str:
    """Describe what the Redis holds of a deployment; empty if it holds nothing."""
    with client.pipeline(transaction=False) as calls:
        for name in _JOBS:
            calls.zcard(name)
        counts = calls.execute(raise_on_error=False)
    if jobs := sum(count for count in counts if isinstance(count, int)):
        return f"{jobs:,} job{'s' * (jobs != 1)} of falhook"
    key = next(_deployment_keys(client), None)
    return "" if key is None else f"{key.decode(errors='replace')}, a key of falhook"


def _deployment_keys(client: redis.Redis) -> Iterator[bytes]:
    for queue in _QUEUES:
        for key in (queue, f"_kombu.binding.{queue}"):
            if client.exists(key):
                yield key.encode()
    yield from cast(Iterator[bytes], client.scan_iter("falhook:*", count=_SCANNED))


def _refusal(client: redis.Redis, contents: str) -> str:
    options = client.connection_pool.connection_kwargs
    place = options.get("path") or f"{options.get('host')}:{options.get('port')}"
    return (
        f"REDIS_URL names {place}, database {options.get('db') or 0}, which holds {contents}. "
        "It may belong to a real deployment, whose jobs simulated workers would take over. Unset "
        "REDIS_URL to use an embedded Redis, or name an empty database, such as "
        "redis://localhost:6379/9."
    )
