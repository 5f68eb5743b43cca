"""Scratch directories of steps: gone afterwards, and after the worker was killed as well.

Each holds a file that is locked while its process lives (flock(2)): the kernel lets go of it
however the process ends, and whoever gets the lock may remove what lies there.
"""

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from webhook.log import get_logger
from worker.errors import Transient

log = get_logger()

PREFIX = "falhook-scratch-"
_UNLOCKED = ".falhook-new-"  # prefix of one that is not locked yet, and no other process looks at
_LOCK = ".lock"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@contextmanager
def scratch(name: str) -> Iterator[Path]:
    """A directory below TMPDIR, with `name` in its own, until the block ends.

    What killed processes left there is removed before. Raises Transient (disk_full) where the
    block finds no room on a disk; storage tells of its own.
    """
    sweep()
    try:
        with _locked(name) as path:
            yield path
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise _full(error) from error


def sweep() -> None:
    """No scratch directory of this user lies below TMPDIR that no living process has."""
    with os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            is_ours = entry.name.startswith(PREFIX) and entry.is_dir(follow_symlinks=False)
            with suppress(FileNotFoundError):  # its process, or another that sweeps, was faster
                if is_ours and entry.stat(follow_symlinks=False).st_uid == os.geteuid():
                    _remove_left(Path(entry.path))


@contextmanager
def _locked(name: str) -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix=_UNLOCKED))
    path = made.with_name(f"{PREFIX}{name}-{made.name.removeprefix(_UNLOCKED)}")
    with (made / _LOCK).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield made.rename(path)
        finally:
            # Two that remove at once are in each other's way; the next one removes what is left.
            shutil.rmtree(path, ignore_errors=True)


def _remove_left(path: Path) -> None:
    with (path / _LOCK).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        shutil.rmtree(path, ignore_errors=True)
        log.warning("scratch.removed", path=str(path))


def _full(error: OSError) -> Transient:
    sentence = (
        f"there is no room left in {tempfile.gettempdir()} (TMPDIR): {error.strerror}; a media"
        " worker needs four times its largest file there for each job at a time: make room, or let"
        " TMPDIR name a larger disk"
    )
    return Transient("disk_full", sentence)
