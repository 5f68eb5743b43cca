"""The directory in which a stack keeps all that is its own."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path


class DirectoryUnusable(RuntimeError):
    """Nothing can be kept in a directory; the message names it, the reason and the cure."""

    def __init__(self, path: Path, error: OSError) -> None:
        """Say why `path` cannot be used."""
        super().__init__(
            f"{path} cannot be used: {error.strerror}. Make it a directory that can be written."
        )


def made(path: Path) -> Path:
    """Return `path`, which is a directory afterwards. Raises DirectoryUnusable."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DirectoryUnusable(path, error) from error
    return path


def new_in(parent: Path) -> Path:
    """Return a new directory in `parent`, named by the time of day. Raises DirectoryUnusable."""
    try:
        return Path(tempfile.mkdtemp(prefix=time.strftime("%H%M%S-"), dir=made(parent)))
    except OSError as error:
        raise DirectoryUnusable(parent, error) from error
