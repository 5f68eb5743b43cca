"""A log file shared by many processes."""

import threading
from pathlib import Path
from typing import Self


class Logfile:
    """A file of lines from named processes; safe for threads. Its `write` is a stack's output."""

    def __init__(self, path: Path) -> None:
        """Create the file; that of the run before is kept as `path`.1."""
        self.path = path
        if path.exists():
            path.replace(path.with_name(f"{path.name}.1"))
        self._file = path.open("ab")
        self._lock = threading.Lock()

    def write(self, name: str, line: bytes) -> None:
        """Append one line, prefixed with the name of its process."""
        with self._lock:
            if not self._file.closed:
                self._file.write(f"{name:<10} ".encode() + line.rstrip(b"\n") + b"\n")
                self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._file.close()
