"""Clients of Redis that take "refused for now" for a lost connection.

A primary that was demoted answers READONLY on every old connection for ever, while a new one
reaches its successor. So such an answer closes the connection, and the error is one that redis-py,
kombu and Celery answer by connecting again. A full Redis (OOM) is an exception: its connections
work, reads and removals too.
"""

from collections.abc import Mapping
from typing import Any

from redis import Redis
from redis import asyncio as aio
from redis.asyncio import connection as aio_connection
from redis.asyncio.retry import Retry as AsyncRetry
from redis.connection import (
    Connection,
    ConnectionPool,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from webhook.redis.address import RedisAddress
from webhook.redis.errors import FULL, refusal

# Options of connections that one to a unix socket does not take.
TCP_OPTIONS = frozenset({"socket_connect_timeout", "socket_keepalive", "socket_keepalive_options"})


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

    def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            return super().read_response(*args, **options)  # type: ignore[misc]
        except ResponseError as error:
            if (lost := _unavailable(error)) is None:
                raise
            self.disconnect()  # type: ignore[attr-defined]
            raise lost from error


class _AsyncReconnecting:
    """The same for asyncio."""

    async def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            return await super().read_response(*args, **options)  # type: ignore[misc]
        except ResponseError as error:
            if (lost := _unavailable(error)) is None:
                raise
            await self.disconnect(nowait=True)  # type: ignore[attr-defined]
            raise lost from error


class TcpConnection(_Reconnecting, Connection):
    """A TCP connection."""


class TlsConnection(_Reconnecting, SSLConnection):
    """A TLS connection."""


class SocketConnection(_Reconnecting, UnixDomainSocketConnection):
    """A connection to a unix socket."""


class _AsyncTcp(_AsyncReconnecting, aio_connection.Connection):
    """A TCP connection for asyncio."""


class _AsyncTls(_AsyncReconnecting, aio_connection.SSLConnection):
    """A TLS connection for asyncio."""


class _AsyncSocket(_AsyncReconnecting, aio_connection.UnixDomainSocketConnection):
    """A connection to a unix socket for asyncio."""


def connection_class(address: RedisAddress) -> type[Connection | UnixDomainSocketConnection]:
    """Return the connection class that fits an address."""
    if address.path:
        return SocketConnection
    return TcpConnection if address.tls is None else TlsConnection


def client(address: RedisAddress, **options: object) -> Redis:
    """Return a blocking client, not yet connected; `options` are those of its connections."""
    pool = ConnectionPool(connection_class(address), **_arguments(address, options))
    return Redis(connection_pool=pool)


def async_client(address: RedisAddress, *, retry: AsyncRetry, **options: object) -> aio.Redis:
    """Return a client for asyncio, not yet connected; `options` are those of its connections."""
    kind = _AsyncSocket if address.path else _AsyncTcp if address.tls is None else _AsyncTls
    pool = aio.ConnectionPool(kind, **_arguments(address, {**options, "retry": retry}))
    return aio.Redis.from_pool(pool)


def _arguments(address: RedisAddress, options: Mapping[str, object]) -> dict[str, Any]:
    absent = TCP_OPTIONS if address.path else frozenset()
    kept = {name: value for name, value in options.items() if name not in absent}
    return {**kept, **address.parameters}
