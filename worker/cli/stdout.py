"""Standard output of the command line; output that cannot be written becomes an error message."""

import errno
import io
import os
import sys
from typing import Any, cast

import click

from worker.text import shorten

json_lines_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON Lines, for machines: one object a line."
)
# The shell's exit code of a program that a closed pipe ended: 128 and SIGPIPE.
CLOSED = 141
_LONGEST_SHOWN = 300


class Unwritable(Exception):
    """Standard output that accepts no more.

    `lost` is what could not be written; `closed` says that the reader has closed the pipe.
    """

    def __init__(self, error: OSError, lost: bytes) -> None:
        self.closed = error.errno == errno.EPIPE
        text = " ".join(lost.decode(errors="replace").split())
        self.lost = shorten(text, _LONGEST_SHOWN)
        super().__init__(
            f"Standard output cannot be written ({error.strerror}); the lost text: {self.lost}"
        )


class _Raw(io.FileIO):
    def write(self, data: Any) -> int:  # any buffer of bytes
        try:
            return super().write(data)
        except OSError as error:
            raise Unwritable(error, bytes(data)) from None


def guard() -> None:
    """Replace standard output by one that raises Unwritable and encodes any character."""
    original = sys.stdout
    if not isinstance(original, io.TextIOWrapper) or original.closed:
        return
    original.flush()
    raw = _Raw(original.fileno(), "wb", closefd=False)
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=original.encoding,
        # An encoding other than UTF-8 gets a question mark for characters that it lacks.
        errors="replace",
        line_buffering=original.line_buffering,
    )


def discard() -> None:
    """Send buffered output to the null device, so that no second error follows at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, cast(io.TextIOWrapper, sys.stdout).fileno())
    os.close(null)
