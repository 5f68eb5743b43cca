"""Standard output of the command line: what cannot be written is said, and none is a crash."""

import errno
import io
import os
import sys
from typing import Any, cast

import click

json_lines_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON Lines, for machines: one object a line."
)
LONGEST_TOLD = 300
# As the shell has it for a program that a closed pipe ended: 128 and SIGPIPE.
CLOSED = 141


class Unwritable(Exception):
    """Standard output took no more; `lost` is what it was given last, `closed` if nobody reads."""

    def __init__(self, error: OSError, lost: bytes) -> None:
        self.closed = error.errno == errno.EPIPE
        text = " ".join(lost.decode(errors="replace").split())
        self.lost = text if len(text) <= LONGEST_TOLD else f"{text[:LONGEST_TOLD]}…"
        super().__init__(
            f"Standard output cannot be written ({error.strerror}); it was given: {self.lost}"
        )


class _Raw(io.FileIO):
    def write(self, data: Any) -> int:  # whatever is made of bytes
        try:
            return super().write(data)
        except OSError as error:
            raise Unwritable(error, bytes(data)) from None


def guard() -> None:
    """Afterwards what cannot be written comes out as Unwritable, and any character can be."""
    given = sys.stdout
    if not isinstance(given, io.TextIOWrapper) or given.closed:
        return
    given.flush()
    raw = _Raw(given.fileno(), "wb", closefd=False)
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=given.encoding,
        # An output that is not UTF-8 shows a question mark for what it does not have.
        errors="replace",
        line_buffering=given.line_buffering,
    )


def give_up() -> None:
    """Afterwards what still waits to be written goes nowhere, without another fault."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, cast(io.TextIOWrapper, sys.stdout).fileno())
    os.close(nowhere)
