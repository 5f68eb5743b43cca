"""Scratch directories of steps: removed afterwards, also if the worker was killed.

Each contains a file that is locked while its process lives (flock(2)). The kernel releases the lock
however the process ends, and a process that gets the lock may remove the directory.
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
from worker.errors import ConfigurationError, Transient

log = get_logger()

PREFIX = "falhook-scratch-"
_UNLOCKED_PREFIX = ".falhook-new-"  # not locked yet, and ignored by other processes
_LOCK = ".lock"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class NoTemporaryDirectory(ConfigurationError):
    """No directory for temporary files can be written."""


def require_temporary_directory() -> None:
    """Return if temporary files can be written; else raise NoTemporaryDirectory."""
    try:
        tempfile.TemporaryFile().close()
    except OSError as error:
        named = os.environ.get("TMPDIR")
        setting = f"TMPDIR={named}" if named else "TMPDIR is not set"
        raise NoTemporaryDirectory(
            f"{setting}, and there is no directory for temporary files that this user can write"
            f" ({error.strerror or error}): set TMPDIR to one with free space"
        ) from None


@contextmanager
def scratch(name: str) -> Iterator[Path]:
    """Provide a directory below TMPDIR, with `name` in its own name, until the block ends.

    Directories that killed processes left behind are removed first. Raises Transient (disk_full)
    if the block fills a disk; storage reports its own full disk.
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
    """Remove the scratch directories of this user whose process has ended."""
    with os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            is_scratch = entry.name.startswith(PREFIX) and entry.is_dir(follow_symlinks=False)
            with suppress(FileNotFoundError):  # another process removed it first
                if is_scratch and entry.stat(follow_symlinks=False).st_uid == os.geteuid():
                    _remove_unlocked(Path(entry.path))


@contextmanager
def _locked(name: str) -> Iterator[Path]:
    unlocked = Path(tempfile.mkdtemp(prefix=_UNLOCKED_PREFIX))
    path = unlocked.with_name(f"{PREFIX}{name}-{unlocked.name.removeprefix(_UNLOCKED_PREFIX)}")
    with (unlocked / _LOCK).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield unlocked.rename(path)
        finally:
            # Two processes may remove it concurrently; the next sweep removes what they leave.
            shutil.rmtree(path, ignore_errors=True)


def _remove_unlocked(path: Path) -> None:
    with (path / _LOCK).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        shutil.rmtree(path, ignore_errors=True)
        log.warning("scratch.removed", path=str(path))


def _full(error: OSError) -> Transient:
    sentence = (
        f"no space left in {tempfile.gettempdir()} (TMPDIR): {error.strerror}; a media worker"
        " needs four times its largest file there for each concurrent job, the API its largest"
        " upload for each of eight at once: free some space, or set TMPDIR to a larger disk"
    )
    return Transient("disk_full", sentence)
