"""Clients of a Redis by its address: one server, the primary behind sentinels, or a cluster.

All three have the commands of `Redis`, which is therefore their type everywhere else. What differs
in a cluster: a pipeline is sent to each node by itself, and no script or transaction may use the
keys of two shards.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec, Self, TypeVar, cast

from redis import Redis, RedisCluster
from redis import asyncio as aio
from redis.asyncio import cluster as aio_cluster
from redis.asyncio import sentinel as aio_sentinel
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ConstantBackoff, NoBackoff
from redis.cluster import ClusterNode
from redis.connection import ConnectionPool
from redis.exceptions import RedisClusterException
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool

from webhook.redis.address import RedisAddress, RedisKind
from webhook.redis.connections import (
    TCP_OPTIONS,
    RedisUnavailable,
    async_connection_class,
    connection_class,
)

_P = ParamSpec("_P")
_R = TypeVar("_R")

# Seconds for one sentinel: another one is asked then.
_SENTINEL_SECONDS = 1.0
# Options that redis-py's clients of a cluster do not take.
_NOT_IN_CLUSTER = frozenset({"db", "health_check_interval"})


class _AsyncSentinelPool(aio_sentinel.SentinelConnectionPool):
    """A pool that closes the connections to its sentinels too."""

    async def disconnect(self, inuse_connections: bool = True) -> None:
        await super().disconnect(inuse_connections)
        if inuse_connections:
            await self.sentinel_manager.aclose()


class _AsyncCluster(aio_cluster.RedisCluster):
    """A cluster that is away with an error of Redis, as `_unavailable` explains."""

    async def initialize(self, *args: Any, **options: Any) -> Self:
        """Learn the nodes, unless they are known."""
        try:
            await super().initialize(*args, **options)
        except RedisClusterException as error:
            raise RedisUnavailable(str(error)) from error
        return self


def client(address: RedisAddress, **options: object) -> Redis:
    """Return a blocking client; `options` are those of its connections.

    Only that of a cluster connects at once, to learn its nodes.
    """
    if address.kind is RedisKind.CLUSTER:
        return _cluster(address, options)
    # Closing the client closes its connections too.
    return Redis.from_pool(pool(address, connection_class=connection_class(address), **options))


def async_client(address: RedisAddress, *, retry: AsyncRetry, **options: object) -> aio.Redis:
    """Return a client for asyncio, not yet connected; `options` are those of its connections."""
    if address.kind is RedisKind.CLUSTER:
        return _async_cluster(address, options, retry)
    arguments = {
        **_arguments(address, options),
        "retry": retry,
        "connection_class": async_connection_class(address),
    }
    if address.kind is RedisKind.SENTINEL:
        sentinel = aio_sentinel.Sentinel(  # type: ignore[no-untyped-call]
            address.places, sentinel_kwargs=_sentinel_options(address, AsyncRetry(NoBackoff(), 0))
        )
        return aio.Redis.from_pool(
            _AsyncSentinelPool(  # type: ignore[no-untyped-call]
                address.service, sentinel, **arguments
            )
        )
    return aio.Redis.from_pool(aio.ConnectionPool(**arguments))


def pool(address: RedisAddress, **options: object) -> ConnectionPool:
    """Return the connections of a client, kombu's among them; not for a cluster.

    `options` are those of the connections, and `connection_class`.
    """
    arguments = _arguments(address, options)
    if address.kind is RedisKind.SENTINEL:
        # Connecting asks the sentinels and is itself repeated with each command: both together
        # give up after about 5 s, as with a single server.
        arguments.setdefault("retry", Retry(ConstantBackoff(0.25), 3))
        sentinel = Sentinel(  # type: ignore[no-untyped-call]
            address.places, sentinel_kwargs=_sentinel_options(address, Retry(NoBackoff(), 0))
        )
        return SentinelConnectionPool(  # type: ignore[no-untyped-call]
            address.service, sentinel, **arguments
        )
    return ConnectionPool(**arguments)


def as_cluster(redis: object) -> RedisCluster | None:
    """Return the client if it is one of a cluster."""
    return redis if isinstance(redis, RedisCluster) else None


def as_async_cluster(redis: object) -> aio_cluster.RedisCluster | None:
    """Return the client for asyncio if it is one of a cluster."""
    return redis if isinstance(redis, aio_cluster.RedisCluster) else None


def _arguments(address: RedisAddress, options: Mapping[str, object]) -> dict[str, Any]:
    absent = TCP_OPTIONS if address.path else frozenset()
    kept = {name: value for name, value in options.items() if name not in absent}
    return {**kept, **address.parameters}


def _sentinel_options(address: RedisAddress, retry: Retry | AsyncRetry) -> dict[str, object]:
    return {
        "username": address.sentinel_username,
        "password": address.sentinel_password,
        "socket_timeout": _SENTINEL_SECONDS,
        "socket_connect_timeout": _SENTINEL_SECONDS,
        "retry": retry,
        "ssl": address.tls is not None,
        **(address.tls or {}),
    }


def _cluster(address: RedisAddress, options: Mapping[str, object]) -> Redis:
    (host, port), *others = address.places
    arguments = _in_cluster(address, options)
    make = _unavailable(RedisCluster)
    cluster = make(
        # Only with a URL does redis-py take a class of connections.
        url=f"redis://{_bracketed(host)}:{port}",
        startup_nodes=[
            ClusterNode(*place)  # type: ignore[no-untyped-call]
            for place in others
        ],
        connection_class=connection_class(address),
        retry=Retry(ConstantBackoff(0.25), 12),
        **arguments,
    )
    nodes = cluster.nodes_manager
    nodes.initialize = _unavailable(nodes.initialize)  # type: ignore[method-assign]
    return cast(Redis, cluster)


def _async_cluster(
    address: RedisAddress, options: Mapping[str, object], retry: AsyncRetry
) -> aio.Redis:
    nodes = [aio_cluster.ClusterNode(*place) for place in address.places]
    cluster = _AsyncCluster(
        startup_nodes=nodes,
        retry=retry,
        ssl=address.tls is not None,
        **_in_cluster(address, options),
    )
    # redis-py has no argument for the class of connections here, but one place that each node's
    # arguments come from.
    kind = async_connection_class(address)
    cluster.connection_kwargs["connection_class"] = kind
    for node in _startup_nodes(cluster):
        node.connection_class = kind
    return cast(aio.Redis, cluster)


def _unavailable(call: Callable[_P, _R]) -> Callable[_P, _R]:
    """Return the function with an error of Redis for a cluster none of whose nodes answers.

    redis-py's is none, and would pass everything that expects Redis to be away.
    """

    @wraps(call)
    def translated(*args: _P.args, **options: _P.kwargs) -> _R:
        try:
            return call(*args, **options)
        except RedisClusterException as error:
            raise RedisUnavailable(str(error)) from error

    return translated


def _startup_nodes(cluster: aio_cluster.RedisCluster) -> Sequence[Any]:
    return list(cluster.nodes_manager.startup_nodes.values())


def _in_cluster(address: RedisAddress, options: Mapping[str, object]) -> dict[str, Any]:
    arguments = _arguments(address, options)
    return {name: value for name, value in arguments.items() if name not in _NOT_IN_CLUSTER}


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
