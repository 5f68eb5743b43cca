"""TLS in front of a server on this machine that speaks none, as stunnel is."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def tls_in_front_of(port: int, context: ssl.SSLContext) -> Iterator[int]:
    """Accept TLS on another port and forward it to `port` until the block ends."""
    running: list[threading.Thread] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                peer, _ = listener.accept()
                forward = threading.Thread(target=_forward, args=(peer, port, context), daemon=True)
                forward.start()
                running.append(forward)

    accepting = threading.Thread(target=serve, daemon=True)
    accepting.start()
    with listener:
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join()
    for forward in running:
        forward.join(5)


def _forward(peer: socket.socket, port: int, context: ssl.SSLContext) -> None:
    with (
        suppress(OSError),
        peer,
        context.wrap_socket(peer, server_side=True) as secure,
        socket.create_connection(("127.0.0.1", port)) as plain,
    ):
        answers = threading.Thread(target=_copy, args=(plain, secure), daemon=True)
        answers.start()
        _copy(secure, plain)
        answers.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
