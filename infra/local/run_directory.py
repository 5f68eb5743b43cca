"""The directory that holds all files of one stack."""

import tempfile
import time
from pathlib import Path


class DirectoryUnusable(RuntimeError):
    """A directory cannot be written; the message names it, the reason and the correction."""

    def __init__(self, path: Path, error: OSError) -> None:
        """Name `path` and the reason."""
        super().__init__(f"{path} cannot be used: {error.strerror}. Make it a writable directory.")


def ensure_directory(path: Path) -> Path:
    """Create the directory `path` if it is missing; return it. Raise DirectoryUnusable."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DirectoryUnusable(path, error) from error
    return path


def new_directory(parent: Path) -> Path:
    """Create a directory in `parent`, named after the time of day. Raise DirectoryUnusable."""
    try:
        return Path(tempfile.mkdtemp(prefix=time.strftime("%H%M%S-"), dir=ensure_directory(parent)))
    except OSError as error:
        raise DirectoryUnusable(parent, error) from error
