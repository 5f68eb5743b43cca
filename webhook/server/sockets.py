"""The sockets that a server listens on, opened before it reports that it started."""

import errno
import socket
from contextlib import ExitStack
from typing import Any, NamedTuple

BACKLOG = 2048
# The host that stands for all addresses of this machine.
EVERYWHERE = "*"
# A kernel without one of the two, or a container in which it is switched off.
_ABSENT = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT})


class Names(NamedTuple):
    """The settings of a server's address."""

    host: str = "FALHOOK_HOST"
    port: str = "PORT"


class BindError(Exception):
    """The server cannot listen on this port of this address; the message names the settings."""


def listen(host: str, port: int, names: Names = Names()) -> list[socket.socket]:  # noqa: B008
    """Return listening sockets, one for each address of `host`; EVERYWHERE is IPv6 and IPv4.

    `names` are the settings from which they come. Raises BindError.
    """
    with ExitStack() as opened:
        if host == EVERYWHERE:
            listeners = _listen_everywhere(port, opened, names)
        else:
            listeners = _listen_on(host, port, opened, names)
        opened.pop_all()
    return listeners


def _listen_on(host: str, port: int, opened: ExitStack, names: Names) -> list[socket.socket]:
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise BindError(
            f"{names.host} {host!r} is not an address ({error}): set one of this machine, "
            f"or {EVERYWHERE} for all"
        ) from None
    try:
        unique = dict.fromkeys((address[0], address[4]) for address in addresses)
        return [opened.enter_context(_listener(*address)) for address in unique]
    except OSError as error:
        raise BindError(_sentence(host, port, error, names)) from None


def _listen_everywhere(port: int, opened: ExitStack, names: Names) -> list[socket.socket]:
    listeners: list[socket.socket] = []
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):  # noqa: S104
        try:
            found = opened.enter_context(_listener(family, (address, port)))
        except OSError as error:
            if error.errno in _ABSENT:
                continue
            raise BindError(_sentence(EVERYWHERE, port, error, names)) from None
        port = found.getsockname()[1]  # PORT 0 is one port, not two
        listeners.append(found)
    if not listeners:
        raise BindError(f"{names.host} {EVERYWHERE!r}: this machine has neither IPv4 nor IPv6")
    return listeners


def _listener(family: socket.AddressFamily, address: tuple[Any, ...]) -> socket.socket:
    # An IPv6 socket does not accept IPv4 too: `host` may have an address of each.
    return socket.create_server(address, family=family, backlog=BACKLOG)


def _sentence(host: str, port: int, error: OSError, names: Names) -> str:
    wrong = f"{names.port} {port} on {names.host} {host!r} cannot be opened ({error.strerror})"
    match error.errno:
        case errno.EADDRINUSE:
            return f"{wrong}: stop the program that uses it, or set another {names.port}"
        case errno.EACCES:
            return f"{wrong}: set a {names.port} above 1023, or let this user open it"
        case errno.EADDRNOTAVAIL:
            return (
                f"{wrong}: set {names.host} to an address of this machine, or {EVERYWHERE} for all"
            )
    return f"{wrong}: set another {names.port} or {names.host}"
