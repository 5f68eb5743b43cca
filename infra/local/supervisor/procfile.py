"""The Procfile, read with honcho."""

import re
from collections.abc import Mapping
from pathlib import Path

from honcho.environ import PROCFILE_LINE, expand_processes, parse_procfile

_IGNORED = re.compile(r"\s*(#|$)")


class ProcfileError(ValueError):
    """An invalid Procfile; the message names the file, the line and the correction."""


def load_procfile(path: Path, concurrency: Mapping[str, int] | None = None) -> dict[str, str]:
    """Return the shell command of each process by name, in the order of the file.

    `concurrency` is the number of processes per type, 1 by default: n > 1 yields `name.1` to
    `name.n`, 0 omits the type. Raise ProcfileError.
    """
    try:
        text = path.read_text()
    except OSError as error:
        raise ProcfileError(f"{path} cannot be read: {error.strerror}.") from error
    _check_lines(path, text)
    types = parse_procfile(text).processes
    counts = dict(concurrency or {})
    if unknown := sorted(counts.keys() - types.keys()):
        raise ProcfileError(f"{path} has no process {unknown[0]!r}; use {', '.join(types)}.")
    commands = {
        process.name if counts.get(process.name.rpartition(".")[0], 1) > 1 else name: process.cmd
        for name in types
        for process in expand_processes({name: types[name]}, concurrency=counts)
    }
    if not commands:
        raise ProcfileError(f"{path} has no process to run: add a line `name: command`.")
    return commands


def _check_lines(path: Path, text: str) -> None:
    # honcho silently skips a line it cannot parse, so a worker would be missing.
    seen: set[str] = set()
    for number, line in enumerate(text.splitlines(), start=1):
        if _IGNORED.match(line):
            continue
        match = PROCFILE_LINE.match(line)
        if match is None:
            raise ProcfileError(
                f"{path}, line {number}: {line!r} is not a process; write `name: command`."
            )
        if match[1] in seen:
            raise ProcfileError(
                f"{path}, line {number}: duplicate process {match[1]!r}; rename one of them."
            )
        seen.add(match[1])
