"""Starts of programs from several threads, all of which end with one owner."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from infra.local.supervisor.process import Program
from infra.local.supervisor.process_guard import ProcessGuard


class Launcher:
    """Starts programs in one environment and directory; safe for threads."""

    def __init__(
        self, *, environ: Mapping[str, str], cwd: Path, output: Callable[[str, bytes], None]
    ) -> None:
        """Start nothing yet. `output` gets every line, after its program's name."""
        # Else Python holds back what it prints into a pipe, and the last words of a killed one.
        self._environ = {"PYTHONUNBUFFERED": "1", **environ}
        self._cwd = cwd
        self._output = output
        self._lifetime = ProcessGuard()
        self._lock = threading.Lock()

    def launch(
        self, name: str, command: str, *, on_output_lost: Callable[[OSError], None]
    ) -> Program:
        """Start `command`, as `Program` has it. Raises OSError where nothing can be started."""
        with self._lock:
            return Program(
                command,
                lifetime=self._lifetime,
                environ=self._environ,
                cwd=self._cwd,
                output=partial(self._output, name),
                on_output_lost=on_output_lost,
            )

    def until_end(self, program: Program) -> int:
        """Return the exit code of the program, once it and its group have ended."""
        code = program.process.wait()
        with self._lock:
            self._lifetime.release(program.process)
        return code

    def close(self) -> None:
        """Kill everything that still lives; a second call does nothing."""
        self._lifetime.close()
