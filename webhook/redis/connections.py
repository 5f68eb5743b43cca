"""Connections to Redis that take "refused for now" for a lost connection.

A primary that was demoted answers READONLY on every old connection for ever, while a new one
reaches its successor. So such an answer closes the connection, and the error is one that redis-py,
kombu and Celery answer by connecting again. A full Redis (OOM) is an exception: its connections
work, reads and removals too.
"""

import time
from contextlib import suppress
from typing import Any, ClassVar

from redis.asyncio import connection as aio_connection
from redis.asyncio import sentinel as aio_sentinel
from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.exceptions import AskError, ClusterDownError, RedisError, ResponseError, TryAgainError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.sentinel import SentinelManagedConnection, SentinelManagedSSLConnection

from webhook.redis.address import RedisAddress, RedisKind
from webhook.redis.errors import FULL, refusal

# Options of connections that one to a unix socket does not take.
TCP_OPTIONS = frozenset({"socket_connect_timeout", "socket_keepalive", "socket_keepalive_options"})


# What a client of a cluster answers by asking another node.
_REDIRECTIONS = (AskError, TryAgainError, ClusterDownError)


# Seconds between two questions of a pool whether its primary still is the primary.
_ASK_EVERY = 2.0
_REPLACED = "the sentinels name another primary"


class RedisUnavailable(RedisConnectionError):
    """Redis answers but refuses every such command for now; the message begins with its code."""


def _unavailable(error: ResponseError) -> RedisUnavailable | None:
    code = refusal(error)
    if code is None or code == FULL:
        return None
    words = str(error)
    return RedisUnavailable(words if code in words else f"{code} {words}", status_code=code)


class _Reconnecting:
    """A connection that closes itself when Redis refuses a command for now."""

    left_to_client: ClassVar[tuple[type[ResponseError], ...]] = ()

    def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            return super().read_response(*args, **options)  # type: ignore[misc]
        except self.left_to_client:
            raise
        except ResponseError as error:
            if (lost := _unavailable(error)) is None:
                raise
            self.disconnect()  # type: ignore[attr-defined]
            raise lost from error


class _AsyncReconnecting:
    """The same for asyncio."""

    left_to_client: ClassVar[tuple[type[ResponseError], ...]] = ()

    async def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            return await super().read_response(*args, **options)  # type: ignore[misc]
        except self.left_to_client:
            raise
        except ResponseError as error:
            if (lost := _unavailable(error)) is None:
                raise
            await self.disconnect(nowait=True)  # type: ignore[attr-defined]
            raise lost from error


class _Rediscovering:
    """A connection that asks the sentinels when a command finds it closed, and now and then.

    redis-py would connect to where the primary was: a command that it repeats after a timeout would
    wait for a frozen primary again and again, while another one has long been elected. And a
    primary that resumes goes on as one for ten seconds, until a sentinel makes it a replica.
    """

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        if self._sock is None:  # type: ignore[attr-defined]
            self._connect_retry()  # type: ignore[attr-defined]
        elif self._is_replaced():
            self.disconnect()  # type: ignore[attr-defined]
            raise RedisUnavailable(_REPLACED)
        super().send_packed_command(command, check_health)  # type: ignore[misc]

    def _is_replaced(self) -> bool:
        pool: Any = self.connection_pool  # type: ignore[attr-defined]
        if _is_due(pool):
            # Without sentinels, the connection that there is remains the best.
            with suppress(RedisError, OSError):
                pool.get_master_address()
        return _names_another(pool, self)


class _AsyncRediscovering:
    """The same for asyncio."""

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        if not self.is_connected:  # type: ignore[attr-defined]
            await self._connect_retry()  # type: ignore[attr-defined]
        elif await self._is_replaced():
            await self.disconnect(nowait=True)  # type: ignore[attr-defined]
            raise RedisUnavailable(_REPLACED)
        await super().send_packed_command(command, check_health)  # type: ignore[misc]

    async def _is_replaced(self) -> bool:
        pool: Any = self.connection_pool  # type: ignore[attr-defined]
        if _is_due(pool):
            with suppress(RedisError, OSError):
                await pool.get_master_address()
        return _names_another(pool, self)


def _is_due(pool: Any) -> bool:
    """Return whether the sentinels are to be asked now, once for all connections of a pool."""
    now = time.monotonic()
    if now < getattr(pool, "asked_until", 0.0):
        return False
    pool.asked_until = now + _ASK_EVERY
    return True


def _names_another(pool: Any, connection: Any) -> bool:
    return pool.master_address not in {None, (connection.host, connection.port)}


class TcpConnection(_Reconnecting, Connection):
    """A TCP connection."""


class TlsConnection(_Reconnecting, SSLConnection):
    """A TLS connection."""


class SocketConnection(_Reconnecting, UnixDomainSocketConnection):
    """A connection to a unix socket."""


class SentinelConnection(_Reconnecting, _Rediscovering, SentinelManagedConnection):
    """A TCP connection to the primary that the sentinels name."""


class SentinelTlsConnection(_Reconnecting, _Rediscovering, SentinelManagedSSLConnection):
    """A TLS connection to the primary that the sentinels name."""


class NodeConnection(TcpConnection):
    """A TCP connection to a node of a cluster."""

    left_to_client = _REDIRECTIONS


class NodeTlsConnection(TlsConnection):
    """A TLS connection to a node of a cluster."""

    left_to_client = _REDIRECTIONS


class AsyncTcpConnection(_AsyncReconnecting, aio_connection.Connection):
    """A TCP connection for asyncio."""


class AsyncTlsConnection(_AsyncReconnecting, aio_connection.SSLConnection):
    """A TLS connection for asyncio."""


class AsyncSocketConnection(_AsyncReconnecting, aio_connection.UnixDomainSocketConnection):
    """A connection to a unix socket for asyncio."""


class AsyncSentinelConnection(
    _AsyncReconnecting, _AsyncRediscovering, aio_sentinel.SentinelManagedConnection
):
    """A TCP connection to the primary that the sentinels name, for asyncio."""


class AsyncSentinelTlsConnection(
    _AsyncReconnecting, _AsyncRediscovering, aio_sentinel.SentinelManagedSSLConnection
):
    """A TLS connection to the primary that the sentinels name, for asyncio."""


class AsyncNodeConnection(AsyncTcpConnection):
    """A TCP connection to a node of a cluster, for asyncio."""

    left_to_client = _REDIRECTIONS


class AsyncNodeTlsConnection(AsyncTlsConnection):
    """A TLS connection to a node of a cluster, for asyncio."""

    left_to_client = _REDIRECTIONS


_CLASSES: dict[tuple[RedisKind, bool], type[Connection]] = {
    (RedisKind.SERVER, False): TcpConnection,
    (RedisKind.SERVER, True): TlsConnection,
    (RedisKind.SENTINEL, False): SentinelConnection,
    (RedisKind.SENTINEL, True): SentinelTlsConnection,
    (RedisKind.CLUSTER, False): NodeConnection,
    (RedisKind.CLUSTER, True): NodeTlsConnection,
}
_ASYNC_CLASSES: dict[tuple[RedisKind, bool], type[aio_connection.Connection]] = {
    (RedisKind.SERVER, False): AsyncTcpConnection,
    (RedisKind.SERVER, True): AsyncTlsConnection,
    (RedisKind.SENTINEL, False): AsyncSentinelConnection,
    (RedisKind.SENTINEL, True): AsyncSentinelTlsConnection,
    (RedisKind.CLUSTER, False): AsyncNodeConnection,
    (RedisKind.CLUSTER, True): AsyncNodeTlsConnection,
}


def connection_class(address: RedisAddress) -> type[Connection | UnixDomainSocketConnection]:
    """Return the connection class that fits an address."""
    return SocketConnection if address.path else _CLASSES[address.kind, address.tls is not None]


def async_connection_class(address: RedisAddress) -> type[aio_connection.AbstractConnection]:
    """Return the connection class for asyncio that fits an address."""
    if address.path:
        return AsyncSocketConnection
    return _ASYNC_CLASSES[address.kind, address.tls is not None]
