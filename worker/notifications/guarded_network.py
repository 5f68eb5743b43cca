"""Connections that lead to allowed addresses only, and that end in time.

A name is resolved once for each connection, every address of the answer is checked, and the
connection is made to a checked one: a name that changes its answer in between gains nothing. TLS
and the header Host keep the name.
"""

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextvars import ContextVar
from typing import Any

import httpcore

from worker.notifications.target import TargetRules

Resolve = Callable[[str, int], Sequence[str]]
# When the attempt of this thread must be over, in seconds of the monotonic clock.
attempt_ends: ContextVar[float] = ContextVar("attempt_ends")
# Names that are resolved at the same time. A resolver may take half a minute to give up.
_RESOLVERS = 64


class AddressRefused(Exception):
    """The name leads to an address to which nothing is sent; nothing was."""


class NameNotResolved(Exception):
    """The name has no address, or the resolver did not answer in time."""


def resolve(host: str, port: int) -> Sequence[str]:
    """Return every address of the host. Raises OSError if it has none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class GuardedNetwork(httpcore.NetworkBackend):
    """Opens the connections of a pool."""

    def __init__(self, rules: TargetRules, resolve: Resolve = resolve) -> None:
        self._rules = rules
        self._resolve = resolve
        self._inner = httpcore.SyncBackend()
        self._resolvers = ThreadPoolExecutor(_RESOLVERS, thread_name_prefix="resolver")

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to one of the addresses, of which each is allowed.

        Raises AddressRefused, NameNotResolved, and what httpcore raises.
        """
        ends = min(attempt_ends.get(), time.monotonic() + (timeout or 0.0))
        addresses = self._addresses(host, port, ends)
        if not all(self._rules.allows(host, address) for address in addresses):
            raise AddressRefused("the name leads to an address that is not public")
        for address in addresses[:-1]:
            try:
                return self._connected(address, port, ends, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return self._connected(addresses[-1], port, ends, local_address, socket_options)

    def _addresses(self, host: str, port: int, ends: float) -> Sequence[str]:
        asked: Future[Sequence[str]] = self._resolvers.submit(self._resolve, host, port)
        try:
            addresses = asked.result(_left(ends, httpcore.ConnectTimeout))
        except FutureTimeout:
            asked.cancel()
            raise NameNotResolved("the resolver did not answer in time") from None
        except (OSError, UnicodeError):
            raise NameNotResolved("the name has no address") from None
        if not addresses:
            raise NameNotResolved("the name has no address")
        return addresses

    def _connected(
        self,
        address: str,
        port: int,
        ends: float,
        local_address: str | None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None,
    ) -> httpcore.NetworkStream:
        left = _left(ends, httpcore.ConnectTimeout)
        stream = self._inner.connect_tcp(address, port, left, local_address, socket_options)
        return _Bounded(stream, connect_ends=ends)


class _Bounded(httpcore.NetworkStream):
    """A connection no wait of which outlasts the attempt: limits of httpcore are for one each."""

    def __init__(self, inner: httpcore.NetworkStream, connect_ends: float) -> None:
        self._inner = inner
        self._connect_ends = connect_ends

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = _left(attempt_ends.get(), httpcore.ReadTimeout)
        return self._inner.read(max_bytes, min(left, timeout or left))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        left = _left(attempt_ends.get(), httpcore.WriteTimeout)
        self._inner.write(buffer, min(left, timeout or left))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(self._connect_ends, httpcore.ConnectTimeout)
        secured = self._inner.start_tls(ssl_context, server_hostname, min(left, timeout or left))
        return _Bounded(secured, self._connect_ends)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _left(ends: float, error: type[httpcore.TimeoutException]) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise error("the time for the attempt is over")
    return left
