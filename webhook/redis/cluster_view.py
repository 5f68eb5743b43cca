"""The primary of a key in a cluster, as the other nodes see it.

A primary that was frozen while its replica was elected believes for a moment that it still is one.
"""

from typing import Any

from redis import RedisCluster
from redis.asyncio import cluster as aio_cluster
from redis.cluster import ClusterNode
from redis.exceptions import RedisError


def is_primary(cluster: RedisCluster, name: str, key: str) -> bool:
    """Return whether another node says that `name` is the primary of the key.

    True if there is no other node, False if none of them answers.
    """
    every: list[ClusterNode] = cluster.get_nodes()  # type: ignore[no-untyped-call]
    others = [node for node in every if node.name != name]
    slot: int = cluster.keyslot(key)  # type: ignore[no-untyped-call]
    for node in others:
        try:
            answer = cluster.get_redis_connection(node).cluster("slots")
        except (RedisError, OSError):
            continue
        return _primary(answer, slot, node.host) == name
    return not others


def is_alone(cluster: RedisCluster, key: str) -> bool:
    """Return whether the primary of the key has no replica, and another node agrees."""
    slot: int = cluster.keyslot(key)  # type: ignore[no-untyped-call]
    primary, *replicas = cluster.nodes_manager.slots_cache[slot]
    return not replicas and is_primary(cluster, primary.name, key)


async def is_primary_async(cluster: aio_cluster.RedisCluster, name: str, key: str) -> bool:
    """The same for asyncio."""
    others = [node for node in cluster.get_nodes() if node.name != name]
    slot = cluster.keyslot(key)
    for node in others:
        try:
            answer = await node.execute_command("CLUSTER SLOTS")
        except (RedisError, OSError):
            continue
        return _primary(answer, slot, node.host) == name
    return not others


async def is_alone_async(cluster: aio_cluster.RedisCluster, key: str) -> bool:
    """The same for asyncio."""
    primary, *replicas = cluster.nodes_manager.slots_cache[cluster.keyslot(key)]
    return not replicas and await is_primary_async(cluster, primary.name, key)


def _primary(slots: Any, slot: int, asked: str) -> str | None:
    """Return the name that redis-py gives to the primary of a slot."""
    for first, last, (host, port, *_), *_ in slots:
        if first <= slot <= last:
            # A node that knows no address of its own leaves it out.
            name = host.decode() if isinstance(host, bytes) else host
            return f"{name or asked}:{port}"
    return None
