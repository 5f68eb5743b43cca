"""kombu's Redis transport on falhook's own connections, for processes that only send messages.

It takes the parsed address (transport option `address`), since kombu reads URLs differently from
redis-py. Every answer that Redis may give in place of a message counts as a lost connection, so
that kombu and Celery connect again; kombu's own list lacks most of them.
"""

from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis
from redis import Redis
from redis.connection import Connection, ConnectionPool, UnixDomainSocketConnection
from redis.exceptions import ResponseError
from redis.sentinel import SentinelConnectionPool

from webhook.redis.address import RedisAddress
from webhook.redis.clients import pool
from webhook.redis.connections import TCP_OPTIONS, connection_class

# The scheme before the + in a broker URL; kombu looks the class up by it.
SCHEME = "falhook"
_ABOUT_CONNECTIONS = (
    *("max_connections", "socket_timeout", "socket_connect_timeout", "socket_keepalive"),
    *("socket_keepalive_options", "health_check_interval", "retry_on_timeout", "client_name"),
)


class Channel(redis.Channel):
    """A channel that connects to `address`."""

    address: RedisAddress
    from_transport_options = (*redis.Channel.from_transport_options, "address")
    _sender: Redis | None = None

    def _create_client(self, asynchronous: bool = False) -> Redis:
        """Return a client. kombu creates one for each message: a third of the time of a send."""
        if not asynchronous and self._sender and self._sender.connection_pool is self.pool:
            return self._sender
        created: Redis = super()._create_client(asynchronous)  # type: ignore[misc]  # no hints
        if not asynchronous:
            self._sender = created
        return created

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        """Return the arguments of the connection pool: overrides kombu's reading of the URL."""
        kind = connection_class(self.address)
        absent = TCP_OPTIONS if self.address.path else frozenset()
        options = {name: getattr(self, name) for name in _ABOUT_CONNECTIONS if name not in absent}
        return {
            **options,
            **self.address.parameters,
            "connection_class": _watched(self, kind) if asynchronous else kind,
        }

    def _get_pool(self, asynchronous: bool = False) -> ConnectionPool:
        """Return the connections; those behind sentinels find the primary when they connect."""
        params = self._connparams(asynchronous)
        self.keyprefix_fanout = self.keyprefix_fanout.format(db=params["db"])
        made = pool(self.address, **params)
        if isinstance(made, SentinelConnectionPool):
            # kombu closes these two with the channel.
            name = "_async_sentinel_manager" if asynchronous else "_sentinel_manager"
            setattr(self, name, made.sentinel_manager)
        return made

    def leave_poller(self, connection: object) -> None:
        """Tell kombu's event loop that a connection is closed."""
        if self._registered:  # type: ignore[attr-defined]  # kombu has no hints
            self._on_connection_disconnect(connection)  # type: ignore[attr-defined]


def _watched(
    channel: Channel, kind: type[Connection | UnixDomainSocketConnection]
) -> type[Connection | UnixDomainSocketConnection]:
    """Return a connection class that tells kombu's event loop when it disconnects, as kombu's."""

    class Watched(kind):  # type: ignore[misc,valid-type]
        """A connection that leaves the poller of its channel."""

        def disconnect(self, *args: Any, **options: Any) -> None:
            super().disconnect(*args, **options)
            channel.leave_poller(self)

    return Watched


class Transport(redis.Transport):
    """A transport whose channels connect to `address`."""

    Channel = Channel
    connection_errors = (*redis.Transport.connection_errors, ResponseError)


def broker_url(address: RedisAddress, scheme: str = SCHEME) -> str:
    """Return the URL by which kombu chooses a transport; its login and options are left out."""
    return f"{scheme}+{address.url}"


def register(scheme: str, transport: str) -> None:
    """Make kombu use `transport` (module:Class) for broker URLs of this scheme."""
    TRANSPORT_ALIASES[scheme] = transport


register(SCHEME, f"{__name__}:Transport")
