"""One process that is kept running."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from infra.local.supervisor.launcher import Launcher
from infra.local.supervisor.process import Program
from infra.local.supervisor.registry import ProcessRegistry
from infra.local.supervisor.restart_policy import REFUSALS, Backoff, ProcessRefused, ending


class Keeper:
    """Starts a command, and again whenever it ends, in a thread of its own."""

    def __init__(
        self,
        name: str,
        command: str,
        *,
        launcher: Launcher,
        runs: ProcessRegistry,
        backoff: Backoff,
        output: Callable[[str, bytes], None],
    ) -> None:
        """Start nothing yet. `output` is told of each end that a new start follows."""
        self._name = name
        self._command = command
        self._launcher = launcher
        self._runs = runs
        self._backoff = backoff
        self._output = output
        self._thread = threading.Thread(target=self._keep, name=name, daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def join(self, timeout: float) -> None:
        """Wait until the program has ended for good, `timeout` seconds at most."""
        self._thread.join(timeout)

    def _keep(self) -> None:
        delay = 0.0
        try:
            while (program := self._run()) is not None:
                began = time.monotonic()
                code = self._launcher.until_end(program)
                self._runs.ended(self._name)
                last_lines = program.last_lines()
                if code in REFUSALS:
                    return self._runs.fail(ProcessRefused(self._name, code, last_lines))
                delay = self._backoff.after(delay, time.monotonic() - began)
                self._tell(code, delay)
                self._runs.changes.wait_for(self._runs.is_stopping, delay)
        except OSError as error:
            self._runs.fail(error)

    def _run(self) -> Program | None:
        if self._runs.is_stopping():
            return None
        program = self._launcher.launch(self._name, self._command, on_output_lost=self._runs.fail)
        self._runs.began(self._name, program)
        return program

    def _tell(self, code: int, delay: float) -> None:
        if not self._runs.is_stopping():
            line = f"{self._name} {ending(code)} and is started again in {delay:g} s.\n"
            self._output(self._name, line.encode())
