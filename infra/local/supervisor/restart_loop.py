"""The loop that keeps one process running."""

import errno
import threading
import time
from collections.abc import Callable

from infra.local.supervisor.launcher import Launcher
from infra.local.supervisor.process import Program
from infra.local.supervisor.registry import ProcessRegistry
from infra.local.supervisor.restart_policy import (
    REFUSAL_CODES,
    Backoff,
    ProcessRefused,
    describe_exit,
)

# A machine that is short of processes, memory or files for a moment.
_BUSY = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE})


class RestartLoop:
    """A thread that starts a command, and restarts it whenever it ends."""

    def __init__(
        self,
        name: str,
        command: str,
        *,
        launcher: Launcher,
        registry: ProcessRegistry,
        backoff: Backoff,
        output: Callable[[str, bytes], None],
    ) -> None:
        """Prepare the thread. `output` receives a line for each restart."""
        self._name = name
        self._command = command
        self._launcher = launcher
        self._registry = registry
        self._backoff = backoff
        self._output = output
        self._thread = threading.Thread(target=self._run_until_stopped, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread; return immediately."""
        self._thread.start()

    def join(self, timeout: float) -> None:
        """Wait up to `timeout` seconds until the program has ended and is not restarted."""
        self._thread.join(timeout)

    def _run_until_stopped(self) -> None:
        delay = 0.0
        try:
            while (program := self._launch_in_time()) is not None:
                started_at = time.monotonic()
                code = self._launcher.wait_for_exit(program)
                self._registry.record_end(self._name)
                last_lines = program.last_lines()
                if code in REFUSAL_CODES:
                    return self._registry.fail(ProcessRefused(self._name, code, last_lines))
                delay = self._backoff.after(delay, time.monotonic() - started_at)
                self._report(code, delay)
                self._registry.changes.wait_for(self._registry.is_stopping, delay)
        except (OSError, RuntimeError) as error:  # no further process, no further thread
            self._registry.fail(error)

    def _launch_in_time(self) -> Program | None:
        """Launch the program, however long the machine has no room for another process."""
        delay = 0.0
        while True:
            try:
                return self._launch()
            except OSError as error:
                if error.errno not in _BUSY:
                    raise
                delay = self._backoff.after(delay, 0.0)
                line = f"{self._name} cannot be started yet: {error.strerror}.\n"
                self._output(self._name, line.encode())
                self._registry.changes.wait_for(self._registry.is_stopping, delay)

    def _launch(self) -> Program | None:
        if self._registry.is_stopping():
            return None
        program = self._launcher.launch(
            self._name, self._command, on_output_lost=self._registry.fail
        )
        self._registry.record_start(self._name, program)
        return program

    def _report(self, code: int, delay: float) -> None:
        if not self._registry.is_stopping():
            line = f"{self._name} {describe_exit(code)} and restarts in {delay:g} s.\n"
            self._output(self._name, line.encode())
