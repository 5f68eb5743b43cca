"""The Procfile as honcho reads it, and the output of its processes as honcho prints it."""

from __future__ import annotations

import datetime
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TextIO

from honcho.colour import get_colours
from honcho.environ import PROCFILE_LINE, expand_processes, parse_procfile
from honcho.printer import Message, Printer

_IGNORED = re.compile(r"\s*(#|$)")


class ProcfileError(ValueError):
    """The Procfile cannot be used; the message names the file, the line and the cure."""


def load_procfile(path: Path, concurrency: Mapping[str, int] | None = None) -> dict[str, str]:
    """Return the shell command of each process, by name, in the file's order.

    A process type of which `concurrency` asks for n > 1 yields `name.1` to `name.n`; 0 leaves it
    out; by default there is one, under the bare name. Raises ProcfileError.
    """
    try:
        text = path.read_text()
    except OSError as error:
        raise ProcfileError(f"{path} cannot be read: {error.strerror}.") from error
    _check_lines(path, text)
    types = parse_procfile(text).processes
    counts = dict(concurrency or {})
    if unknown := sorted(counts.keys() - types.keys()):
        raise ProcfileError(f"{path} has no process {unknown[0]!r}: it has {', '.join(types)}.")
    commands = {
        process.name if counts.get(process.name.rpartition(".")[0], 1) > 1 else name: process.cmd
        for name in types
        for process in expand_processes({name: types[name]}, concurrency=counts)
    }
    if not commands:
        raise ProcfileError(f"{path} names no process to run: add a line `name: command`.")
    return commands


def _check_lines(path: Path, text: str) -> None:
    # honcho skips a line it cannot read without a word, and a worker would be missing.
    seen: set[str] = set()
    for number, line in enumerate(text.splitlines(), start=1):
        if _IGNORED.match(line):
            continue
        match = PROCFILE_LINE.match(line)
        if match is None:
            raise ProcfileError(
                f"{path}, line {number}: write it as `name: command`, not {line!r}."
            )
        if match[1] in seen:
            raise ProcfileError(f"{path}, line {number}: the process {match[1]!r} is named twice.")
        seen.add(match[1])


def console(names: Iterable[str], stream: TextIO) -> Callable[[str, bytes], None]:
    """Return an output for a Supervisor: each line with time and name, coloured on a terminal.

    Threads may call it at once; lines never mix.
    """
    known = tuple(names)
    printer = Printer(output=stream, width=max(map(len, known), default=0))
    colours = dict(zip(known, get_colours(), strict=False))
    lock = threading.Lock()

    def write(name: str, line: bytes) -> None:
        now = datetime.datetime.now().astimezone()
        message = Message(type="line", data=line, time=now, name=name, colour=colours.get(name))
        with lock:
            printer.write(message)

    return write
