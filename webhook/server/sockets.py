"""The sockets that the receiver listens on, opened before it reports that it started."""

import errno
import socket
from contextlib import ExitStack

BACKLOG = 2048


class BindError(Exception):
    """The receiver cannot listen on PORT of FALHOOK_HOST."""


def listen(host: str, port: int) -> list[socket.socket]:
    """Return listening sockets, one for each address of `host`.

    Raises BindError.
    """
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise BindError(
            f"FALHOOK_HOST {host!r} is not an address ({error}): set one of this machine, "
            "or 0.0.0.0 for all"
        ) from None
    with ExitStack() as opened:
        try:
            unique = dict.fromkeys(addresses)
            listeners = [opened.enter_context(_listener(*address)) for address in unique]
        except OSError as error:
            raise BindError(_sentence(host, port, error)) from None
        opened.pop_all()
    return listeners


def _listener(
    family: socket.AddressFamily,
    _kind: socket.SocketKind,
    _protocol: int,
    _name: str,
    address: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes],
) -> socket.socket:
    # An IPv6 socket does not accept IPv4 too: `host` may have an address of each.
    return socket.create_server(address, family=family, backlog=BACKLOG)


def _sentence(host: str, port: int, error: OSError) -> str:
    wrong = f"PORT {port} on FALHOOK_HOST {host!r} cannot be opened ({error.strerror})"
    match error.errno:
        case errno.EADDRINUSE:
            return f"{wrong}: stop the program that uses it, or set another PORT"
        case errno.EACCES:
            return f"{wrong}: set a PORT above 1023, or let this user open it"
        case errno.EADDRNOTAVAIL:
            return f"{wrong}: set FALHOOK_HOST to an address of this machine, or 0.0.0.0 for all"
    return f"{wrong}: set another PORT or FALHOOK_HOST"
