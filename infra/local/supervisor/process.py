"""One run of a program, with its output."""

import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from infra.local.supervisor.process_guard import ProcessGuard

_LAST_LINES = 20
_OUTPUT_SECONDS = 1.0


class Program:
    """A running command of the Procfile, with a thread that reads its output."""

    def __init__(
        self,
        command: str,
        *,
        guard: ProcessGuard,
        environ: Mapping[str, str],
        cwd: Path,
        output: Callable[[bytes], None],
        on_output_lost: Callable[[OSError], None],
    ) -> None:
        """Start `command`: a program and its arguments, optionally preceded by `NAME=value`.

        The shell expands variables and then becomes the program, so `pid` is the program's own.
        `output` receives each line. If it raises OSError, `on_output_lost` is called once and the
        program's output is closed. Raise OSError if no process can be started.
        """
        self._output = output
        self._on_output_lost = on_output_lost
        self._terminated = False
        self._last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self.process = guard.spawn(
            # `exec` alone would treat a leading assignment as the program's name.
            ("/bin/sh", "-c", f"exec env {command.removeprefix('exec ')}"),
            output=subprocess.PIPE,
            environ=environ,
            cwd=cwd,
        )
        self.pid = self.process.pid
        self._reader = threading.Thread(target=self._read, name=f"read {self.pid}", daemon=True)
        self._reader.start()

    def terminate(self) -> None:
        """Send SIGTERM once; some programs abort on a second one."""
        if not self._terminated:
            self.process.terminate()
            self._terminated = True

    def last_lines(self) -> tuple[str, ...]:
        """Return the last lines of the output of a program whose group has ended."""
        # With a limit: a grandchild that left the group may keep the pipe open for ever.
        self._reader.join(_OUTPUT_SECONDS)
        return tuple(self._last_lines)

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            try:
                for line in lines:
                    self._last_lines.append(line.decode(errors="replace").rstrip())
                    self._output(line)
            except OSError as error:  # the owner's terminal or pipe was closed
                self._on_output_lost(error)
