"""The output of many processes in one file."""

from __future__ import annotations

import threading
from pathlib import Path


class Logfile:
    """Lines of named processes; threads may write at once. `output` of a stack."""

    def __init__(self, path: Path) -> None:
        """Create the file."""
        self.path = path
        self._file = path.open("ab")
        self._lock = threading.Lock()

    def write(self, name: str, line: bytes) -> None:
        """Add one line, its process in front."""
        with self._lock:
            if not self._file.closed:
                self._file.write(f"{name:<10} ".encode() + line.rstrip(b"\n") + b"\n")
                self._file.flush()

    def __enter__(self) -> Logfile:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._file.close()
