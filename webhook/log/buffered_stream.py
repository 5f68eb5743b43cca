"""A log stream that writes once for each turn of the event loop, not once for each line."""

import asyncio
import select
from collections.abc import Iterable, Iterator
from typing import TextIO


class BufferedStream:
    """A stream for `log.configure`. A crash may lose the lines of the last turn."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._pending: list[str] = []

    def isatty(self) -> bool:
        """Return whether the underlying stream is a terminal."""
        return self._stream.isatty()

    def write(self, text: str) -> int:
        """Buffer `text` until the event loop's next turn; write it now if none runs here."""
        first = not self._pending
        self._pending.append(text)
        if first:
            try:
                asyncio.get_running_loop().call_soon(self._write_pending)
            except RuntimeError:
                self._write_pending()
        return len(text)

    def flush(self) -> None:
        """Do nothing: the loggers flush after every line, which would defeat the buffer."""

    def _write_pending(self) -> None:
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
    yield piece
