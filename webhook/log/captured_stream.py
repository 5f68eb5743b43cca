"""A replacement of standard output or error that passes each line on."""

import io
from collections.abc import Callable
from typing import TextIO


class CapturedStream(io.TextIOBase):
    """A stream that passes complete lines to `write_line`; empty ones are dropped.

    `stream` is the stream that it replaces, and still the owner of the descriptor.
    """

    def __init__(self, stream: TextIO, write_line: Callable[[str], None]) -> None:
        self.stream = stream
        self._write_line = write_line
        self._part = ""

    def write(self, text: str) -> int:
        """Pass on the lines that `text` completes."""
        *lines, self._part = (self._part + text).split("\n")
        for line in lines:
            if line.strip():
                self._write_line(line.rstrip())
        return len(text)

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the descriptor of the stream that this one replaces."""
        return self.stream.fileno()
