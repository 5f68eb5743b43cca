"""A TCP proxy that breaks connections as networks do."""

import contextlib
import selectors
import socket
import threading
from types import TracebackType


class Proxy:
    """A proxy from one loopback port to another, with methods that break its connections.

    `cut` resets them. `abandon` lets them hang for ever without a sign, as a vanished peer does.
    `refuse` closes the port; `accept` opens it again.
    """

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._abandoned: list[tuple[socket.socket, socket.socket]] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self._ended = False
        threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.refuse()
        with self._lock:
            for pair in self._abandoned:
                _close(*pair)

    def cut(self) -> int:
        """Reset every connection, also in the middle of a message. Return their number."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            _reset(*pair)
        return len(pairs)

    def abandon(self) -> int:
        """Stop forwarding on all connections without closing them. Return their number."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
            self._abandoned += pairs
        for _, server in pairs:
            # The server sees its client go; the client never sees anything.
            _reset(server)
        return len(pairs)

    def refuse(self) -> None:
        """Close the port and all connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def accept(self) -> None:
        """Open the port again."""
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=256)
        threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._target, timeout=5)
            except OSError:
                _reset(client)
                continue
            server.settimeout(None)
            pair = (client, server)
            with self._lock:
                self._pairs.append(pair)
            threading.Thread(target=self._forward, args=(pair,), daemon=True).start()

    def _forward(self, pair: tuple[socket.socket, socket.socket]) -> None:
        client, server = pair
        with selectors.DefaultSelector() as ready:
            try:
                ready.register(client, selectors.EVENT_READ, server)
                ready.register(server, selectors.EVENT_READ, client)
                while all(_forwarded(key) for key, _ in ready.select()):
                    pass
            except (OSError, ValueError):
                pass
        with self._lock:
            if pair in self._pairs:
                self._pairs.remove(pair)
            elif pair in self._abandoned:
                return
        _close(client, server)


def _forwarded(key: selectors.SelectorKey) -> bool:
    source, sink = key.fileobj, key.data
    assert isinstance(source, socket.socket)
    data = source.recv(65536)
    if data:
        sink.sendall(data)
    return bool(data)


def _reset(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            # With a linger time of 0, close sends a RST; shutdown wakes a thread in select().
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            end.shutdown(socket.SHUT_RDWR)
    _close(*ends)


def _close(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.close()
