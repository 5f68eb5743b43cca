"""The start of programs from several threads; all of them end with their owner."""

import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from infra.local.supervisor.process import Program
from infra.local.supervisor.process_guard import ProcessGuard


class Launcher:
    """A launcher of programs in one environment and directory; safe for threads."""

    def __init__(
        self, *, environ: Mapping[str, str], cwd: Path, output: Callable[[str, bytes], None]
    ) -> None:
        """Prepare the launcher. `output` receives each program's name and line."""
        # Python buffers output to a pipe otherwise, and a killed program loses its last lines.
        self._environ = {"PYTHONUNBUFFERED": "1", **environ}
        self._cwd = cwd
        self._output = output
        self._guard = ProcessGuard()
        self._lock = threading.Lock()

    def launch(
        self, name: str, command: str, *, on_output_lost: Callable[[OSError], None]
    ) -> Program:
        """Start `command`, see `Program`. Raise OSError if no process can be started."""
        with self._lock:
            return Program(
                command,
                guard=self._guard,
                environ=self._environ,
                cwd=self._cwd,
                output=partial(self._output, name),
                on_output_lost=on_output_lost,
            )

    def wait_for_exit(self, program: Program) -> int:
        """Wait until the program has ended, kill its group, and return the exit code."""
        code = program.process.wait()
        with self._lock:
            self._guard.release(program.process)
        return code

    def close(self) -> None:
        """Kill every remaining process. A second call does nothing."""
        self._guard.close()
