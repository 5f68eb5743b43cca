"""A parser of requests that ignores offers to change the protocol, as HTTP allows."""

from collections.abc import Callable

import httptools

# What a request says of the offer, and hop by hop of the connection; all of it may be ignored.
# https://www.rfc-editor.org/rfc/rfc9110#section-7.8
_OFFER = frozenset({b"upgrade", b"http2-settings"})


class RequestParser(httptools.HttpRequestParser):
    """httptools' parser, which otherwise stops after a head with `Upgrade: h2c`, before the body.

    `restart` is called with the bytes after such a head.
    """

    def __init__(self, protocol: object, restart: Callable[[bytes], None]) -> None:
        super().__init__(protocol)
        self.set_dangerous_leniencies(lenient_data_after_close=True)
        self._restart = restart

    def feed_data(self, data: bytes) -> None:  # type: ignore[override]  # uvicorn has bytes
        """Parse `data`. Raises HttpParserError."""
        try:
            super().feed_data(data)
        except httptools.HttpParserUpgrade as stopped:
            self._restart(data[stopped.args[0] :])


def head_without_offer(
    method: bytes, url: bytes, version: str, headers: list[tuple[bytes, bytes]]
) -> bytes:
    """Return a request head without what would change the protocol."""
    lines = [b"%s %s HTTP/%s" % (method, url, version.encode())]
    for name, value in headers:
        kept = _without_offer(value) if name == b"connection" else value
        if name not in _OFFER and (kept or name != b"connection"):
            lines.append(b"%s: %s" % (name, kept))
    return b"\r\n".join([*lines, b"", b""])


def _without_offer(connection: bytes) -> bytes:
    options = [option.strip() for option in connection.split(b",")]
    return b", ".join(option for option in options if option.lower() not in _OFFER)
