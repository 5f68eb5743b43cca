"""What a program sees of the machine: the strongest wall between them that is to be had.

The limits of `sandbox` hold without it; this takes away the network and all foreign files, for
the day when a decoder's own fault runs somebody else's code.
"""

import functools
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

from worker.transcode.ffmpeg.limits import PATH


class Isolation(StrEnum):
    """How a program is walled off, from the strongest down."""

    BUBBLEWRAP = "bubblewrap"  # namespaces of its own; of the disk only system libraries and cwd
    NAMESPACES = "namespaces"  # no network; the disk is what the worker's user may read
    NONE = "none"


MEANING: Mapping[Isolation, str] = {
    Isolation.BUBBLEWRAP: "no network, and no file but its own",
    Isolation.NAMESPACES: "no network",
    Isolation.NONE: "install bubblewrap, or allow user namespaces, to take network and files away",
}
# Where programs and the libraries they need lie; without the cache some libraries are not found.
_SYSTEM = ("/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/alternatives")


def wrapper(isolation: Isolation, program: Path, cwd: Path, files: Sequence[Path]) -> list[str]:
    """The command that goes before `program`; it may write in `cwd` and read `files`."""
    return list(_WRAPPERS[isolation](program, cwd.resolve(), files))


def _bubblewrap(program: Path, cwd: Path, files: Sequence[Path]) -> list[str]:
    system = [part for path in _SYSTEM for part in ("--ro-bind-try", path, path)]
    own = [part for path in (program, *files) for part in ("--ro-bind", str(path), str(path))]
    walls = [
        "--unshare-all",
        "--as-pid-1",
        "--die-with-parent",
        "--cap-drop",
        "ALL",
        "--dev",
        "/dev",
    ]
    walls += ["--proc", "/proc"]
    # The directory comes last: it may lie inside one of the others.
    return ["bwrap", *walls, *system, *own, "--bind", str(cwd), str(cwd), "--chdir", str(cwd)]


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
    """Whether this machine lets the program run behind that wall; it is tried, with -version."""
    with tempfile.TemporaryDirectory(prefix="falhook-") as cwd:
        command = [*wrapper(isolation, program, Path(cwd), ()), str(program), "-version"]
        try:
            tried = subprocess.run(
                command,
                check=False,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=30,
                cwd=cwd,
                env={"PATH": PATH},
            )
        except (OSError, subprocess.SubprocessError):
            return False
    return tried.returncode == 0


def strongest(program: Path) -> Isolation:
    """The strongest wall that this machine has for the program."""
    return next(isolation for isolation in Isolation if _is_none_or_works(isolation, program))


def _is_none_or_works(isolation: Isolation, program: Path) -> bool:
    return isolation is Isolation.NONE or works(isolation, program)
