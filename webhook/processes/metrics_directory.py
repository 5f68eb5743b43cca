"""The directory in which several receiver processes count, for a /metrics of all.

It is locked while its parent lives (flock(2)). One that a killed parent left behind is not, and the
next parent removes it.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "falhook-metrics-"
_UNLOCKED_PREFIX = ".falhook-new-metrics-"  # not locked yet, and ignored by other parents


@contextmanager
def metrics_directory() -> Iterator[Path]:
    """Provide an empty directory of this user below TMPDIR until the block ends.

    Those that killed parents left behind are removed first. Raises OSError.
    """
    _sweep()
    unlocked = Path(tempfile.mkdtemp(prefix=_UNLOCKED_PREFIX))
    with _locked(unlocked):
        path = unlocked.with_name(PREFIX + unlocked.name.removeprefix(_UNLOCKED_PREFIX))
        unlocked.rename(path)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)


def _sweep() -> None:
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        # BlockingIOError: its parent lives. The others: it is not ours, or already gone.
        with suppress(BlockingIOError, FileNotFoundError, NotADirectoryError, PermissionError):
            if path.lstat().st_uid == os.geteuid():
                with _locked(path):
                    shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
