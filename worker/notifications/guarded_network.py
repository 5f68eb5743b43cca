"""Connections that lead to allowed addresses only, and that end in time.

A name is resolved for each connection, every address of the answer is checked, and the connection
is made to a checked one: a name that changes its answer in between gains nothing. TLS and the
header Host keep the name.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout

from worker.notifications.target import TargetRules

Resolve = Callable[[str, int], Sequence[str]]
# Names that are resolved at the same time. A resolver may take half a minute to give up.
_RESOLVERS = 64


class AddressRefused(Exception):
    """The name leads to an address to which nothing is sent; nothing was."""


class NameNotResolved(Exception):
    """The name has no address, or the resolver did not answer in time."""


class NotConnected(Exception):
    """No address of the name takes connections."""


class ConnectTimedOut(Exception):
    """The connection was not ready in time."""


def resolve(host: str, port: int) -> Sequence[str]:
    """Return every address of the host. Raises OSError if it has none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class GuardedNetwork:
    """Opens connections; safe to share between threads. Times are those of the monotonic clock."""

    def __init__(
        self, rules: TargetRules, ssl_context: ssl.SSLContext, resolve: Resolve = resolve
    ) -> None:
        self._rules = rules
        self._ssl_context = ssl_context
        self._resolve = resolve
        self._resolvers = ThreadPoolExecutor(_RESOLVERS, thread_name_prefix="resolver")
        self._lock = threading.Lock()
        # Names that are being resolved: one that takes long occupies one thread, not one for each
        # attempt.
        self._asked: dict[tuple[str, int], Future[Sequence[str]]] = {}

    def connect(self, host: str, port: int, *, tls: bool, ends: float) -> socket.socket:
        """Return a connection to one of the host's addresses, of which each is allowed.

        Raises AddressRefused, NameNotResolved, NotConnected, ConnectTimedOut and ssl.SSLError.
        """
        addresses = self._addresses(host, port, ends)
        if not all(self._rules.allows(host, address) for address in addresses):
            raise AddressRefused("the name leads to an address that is not public")
        connection = _connected_to_one(addresses, port, ends)
        if not tls:
            return connection
        try:
            connection.settimeout(_left(ends))
            return self._ssl_context.wrap_socket(connection, server_hostname=host)
        except TimeoutError:
            connection.close()
            raise ConnectTimedOut("the TLS handshake took too long") from None
        except BaseException:
            connection.close()
            raise

    def _addresses(self, host: str, port: int, ends: float) -> Sequence[str]:
        asked = self._being_resolved(host, port)
        try:
            addresses = asked.result(_left(ends))
        except FutureTimeout:
            raise NameNotResolved("the resolver did not answer in time") from None
        except (OSError, UnicodeError):
            raise NameNotResolved("the name has no address") from None
        if not addresses:
            raise NameNotResolved("the name has no address")
        return addresses

    def _being_resolved(self, host: str, port: int) -> Future[Sequence[str]]:
        name = (host, port)
        with self._lock:
            if asked := self._asked.get(name):
                return asked
            asked = self._asked[name] = self._resolvers.submit(self._resolve, host, port)
        # Not under the lock: what has ended meanwhile calls back at once.
        asked.add_done_callback(lambda _asked: self._asked.pop(name, None))
        return asked

    def close(self) -> None:
        """Wait for no resolver."""
        self._resolvers.shutdown(wait=False, cancel_futures=True)


def _connected_to_one(addresses: Sequence[str], port: int, ends: float) -> socket.socket:
    for address in addresses[:-1]:
        try:
            return _connected(address, port, ends)
        except (NotConnected, ConnectTimedOut):
            continue
    return _connected(addresses[-1], port, ends)


def _connected(address: str, port: int, ends: float) -> socket.socket:
    try:
        connection = socket.create_connection((address, port), _left(ends))
    except TimeoutError:
        raise ConnectTimedOut("the address did not answer in time") from None
    except OSError as error:
        raise NotConnected(str(error)) from error
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _left(ends: float) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise ConnectTimedOut("the time for the connection is over")
    return left
