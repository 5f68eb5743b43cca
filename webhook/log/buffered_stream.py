"""A log stream that writes once for many lines: once a turn of the event loop, or less often."""

import asyncio
import select
from collections.abc import Iterable, Iterator
from typing import TextIO

# Seconds that a line which is written hundreds of times a second waits for others.
DELAY = 0.05


class BufferedStream:
    """A stream for `log.configure`. A crash may lose the lines that wait."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._pending: list[str] = []
        self._flush: asyncio.Handle | None = None
        self._is_soon = False

    def isatty(self) -> bool:
        """Return whether the underlying stream is a terminal."""
        return self._stream.isatty()

    def write(self, text: str) -> int:
        """Buffer `text` until the event loop's next turn; write it now if none runs here."""
        self._pending.append(text)
        if not self._is_soon:
            self._schedule(soon=True)
        return len(text)

    def write_later(self, text: str) -> None:
        """Buffer `text` for at most DELAY seconds; write it now if no event loop runs here."""
        self._pending.append(text)
        if self._flush is None:
            self._schedule(soon=False)

    def flush(self) -> None:
        """Do nothing: the loggers flush after every line, which would defeat the buffer."""

    def _schedule(self, *, soon: bool) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._write_pending()
            return
        if self._flush is not None:
            self._flush.cancel()
        write = self._write_pending
        self._flush = loop.call_soon(write) if soon else loop.call_later(DELAY, write)
        self._is_soon = soon

    def _write_pending(self) -> None:
        self._flush, self._is_soon = None, False
        pending, self._pending = self._pending, []
        for piece in _pieces(pending):
            self._stream.write(piece)
            self._stream.flush()


def _pieces(lines: Iterable[str]) -> Iterator[str]:
    """Join lines into pieces that a pipe takes whole, also if several processes write to it.

    https://man7.org/linux/man-pages/man7/pipe.7.html (PIPE_BUF)
    """
    piece = ""
    for line in lines:
        if piece and len(piece) + len(line) > select.PIPE_BUF:
            yield piece
            piece = ""
        piece += line
    if piece:
        yield piece
