"""One run of one program: from its start to its end, with what it prints on the way."""

from __future__ import annotations

import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from infra.local.supervisor.process_guard import ProcessGuard

_LAST_LINES = 20
_OUTPUT_SECONDS = 1.0


class Program:
    """A command of the Procfile that runs, with a thread that reads its output."""

    def __init__(
        self,
        command: str,
        *,
        lifetime: ProcessGuard,
        environ: Mapping[str, str],
        cwd: Path,
        output: Callable[[bytes], None],
        on_output_lost: Callable[[OSError], None],
    ) -> None:
        """Start `command`: one program, its arguments, and `NAME=value` before it if need be.

        The shell expands variables and then becomes the program, so that `pid` is the program's.
        `output` gets each line; if it raises OSError, `on_output_lost` is told once and the
        program's output is closed. Raises OSError where nothing can be started.
        """
        self._output = output
        self._on_output_lost = on_output_lost
        self._told = False
        self._last: deque[str] = deque(maxlen=_LAST_LINES)
        self.process = lifetime.spawn(
            # env: `exec` alone would take an assignment in front for the program's name.
            ("/bin/sh", "-c", f"exec env {command.removeprefix('exec ')}"),
            output=subprocess.PIPE,
            environ=environ,
            cwd=cwd,
        )
        self.pid = self.process.pid
        self._reader = threading.Thread(target=self._read, name=f"read {self.pid}", daemon=True)
        self._reader.start()

    def terminate(self) -> None:
        """Send SIGTERM, once: to some programs a second one means to drop everything."""
        if not self._told:
            self.process.terminate()
            self._told = True

    def last_lines(self) -> tuple[str, ...]:
        """Return the end of the output, once the program and its group have ended."""
        # Bounded: a grandchild that left the group may hold the pipe open for ever.
        self._reader.join(_OUTPUT_SECONDS)
        return tuple(self._last)

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            try:
                for line in lines:
                    self._last.append(line.decode(errors="replace").rstrip())
                    self._output(line)
            except OSError as error:  # the terminal or pipe that the owner prints to is gone
                self._on_output_lost(error)
