"""The sockets that the receiver listens on, opened before anything says that it does."""

import errno
import socket
from contextlib import ExitStack

BACKLOG = 2048


class BindError(Exception):
    """The receiver cannot listen where its settings say; the text names them and the cure."""


def listen(host: str, port: int) -> list[socket.socket]:
    """Sockets that take connections from now on, one for each address of `host`.

    Raises NotListening.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise BindError(
            f"FALHOOK_HOST {host!r} is no address ({error}); write one of this machine, "
            "or 0.0.0.0 for all"
        ) from None
    with ExitStack() as opened:
        try:
            listeners = [opened.enter_context(_listener(*entry)) for entry in dict.fromkeys(found)]
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
    # Not for IPv4 too where it is an IPv6 one: the other may be among the addresses.
    return socket.create_server(address, family=family, backlog=BACKLOG)


def _sentence(host: str, port: int, error: OSError) -> str:
    wrong = f"the receiver cannot listen on PORT {port} of FALHOOK_HOST {host!r} ({error.strerror})"
    match error.errno:
        case errno.EADDRINUSE:
            return f"{wrong}: end the program that does, or set another PORT"
        case errno.EACCES:
            return f"{wrong}: set a PORT above 1023, or allow it to this user"
        case errno.EADDRNOTAVAIL:
            return f"{wrong}: set FALHOOK_HOST to an address of this machine, or 0.0.0.0 for all"
    return f"{wrong}: set another PORT or FALHOOK_HOST"
