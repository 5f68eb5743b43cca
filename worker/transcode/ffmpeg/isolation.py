"""Isolation of a program from the machine, as strong as the machine allows.

The limits of `sandbox` apply without it. Isolation removes the network and all other files, in case
a hostile file makes a decoder run code.
"""

import functools
import tempfile
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

from worker.probe import run_probe
from worker.transcode.ffmpeg.limits import PATH


class Isolation(StrEnum):
    """How a program is isolated, from the strongest down."""

    BUBBLEWRAP = "bubblewrap"  # its own namespaces; it sees only system libraries and cwd
    NAMESPACES = "namespaces"  # no network; it may read what the worker's user may read
    NONE = "none"


MEANING: Mapping[Isolation, str] = {
    Isolation.BUBBLEWRAP: "no network, and no files but its own",
    Isolation.NAMESPACES: "no network",
    Isolation.NONE: "install bubblewrap or allow user namespaces to block network and files",
}
# Directories of programs and their libraries; without the cache some libraries are not found.
_SYSTEM = ("/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/alternatives")


def wrapper(isolation: Isolation, program: Path, cwd: Path, files: Sequence[Path]) -> list[str]:
    """Return the command that isolates `program`, which may write in `cwd` and read `files`."""
    return list(_WRAPPERS[isolation](program, cwd.resolve(), files))


def _bubblewrap(program: Path, cwd: Path, files: Sequence[Path]) -> list[str]:
    system = [part for path in _SYSTEM for part in ("--ro-bind-try", path, path)]
    own = [part for path in (program, *files) for part in ("--ro-bind", str(path), str(path))]
    options = ["--unshare-all", "--as-pid-1", "--die-with-parent", "--cap-drop", "ALL"]
    options += ["--dev", "/dev", "--proc", "/proc"]
    # The directory comes last: it may be inside one of the others.
    return ["bwrap", *options, *system, *own, "--bind", str(cwd), str(cwd), "--chdir", str(cwd)]


def _namespaces(_: Path, __: Path, ___: Sequence[Path]) -> list[str]:
    return ["unshare", "--user", "--map-current-user", "--net", "--ipc"]


def _none(_: Path, __: Path, ___: Sequence[Path]) -> list[str]:
    return []


_WRAPPERS: Mapping[Isolation, Callable[[Path, Path, Sequence[Path]], list[str]]] = {
    Isolation.BUBBLEWRAP: _bubblewrap,
    Isolation.NAMESPACES: _namespaces,
    Isolation.NONE: _none,
}


@functools.cache
def works(isolation: Isolation, program: Path) -> bool:
    """Return whether the program runs with that isolation on this machine; it runs -version.

    Raises ProbeInterrupted if it was killed: that must not weaken the isolation.
    """
    with tempfile.TemporaryDirectory(prefix="falhook-") as cwd:
        command = [*wrapper(isolation, program, Path(cwd), ()), str(program), "-version"]
        try:
            process = run_probe(command, timeout=30, cwd=cwd, env={"PATH": PATH})
        except OSError:
            return False
    return process.returncode == 0


def strongest(program: Path) -> Isolation:
    """Return the strongest isolation with which the program runs on this machine."""
    return next(isolation for isolation in Isolation if _is_none_or_works(isolation, program))


def _is_none_or_works(isolation: Isolation, program: Path) -> bool:
    return isolation is Isolation.NONE or works(isolation, program)
