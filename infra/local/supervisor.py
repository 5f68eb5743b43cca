"""Keeps the processes of a Procfile running.

Unlike `honcho start`, which ends everything when one process ends, a process that dies is started
again: workers are killed, run out of memory or leave on a fault of the broker, and the stack has
to go on. The exception is a process that says it was started wrongly: then all are ended.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from infra.local.changes import Changes
from infra.local.launcher import Launcher
from infra.local.lifetime import kill_group
from infra.local.program import Program
from infra.local.restarts import REFUSALS, Backoff, ProcessRefused

_GRACE_SECONDS = 10.0
_KEEPER_SECONDS = 5.0


class Supervisor:
    """Runs each command under its name, in a session of its own, until it is told to stop.

    Ctrl-C in a terminal reaches the owner alone, which then calls `stop`. An owner gone without
    `stop`, even by SIGKILL: every process and its group are killed all the same.
    """

    def __init__(
        self,
        *,
        processes: Mapping[str, str],
        environ: Mapping[str, str],
        cwd: Path,
        output: Callable[[str, bytes], None],
        backoff: Backoff | None = None,
    ) -> None:
        """Start nothing yet. `output` gets every line, from several threads at once."""
        self._processes = dict(processes)
        self._launcher = Launcher(environ=environ, cwd=cwd, output=output)
        self._backoff = backoff or Backoff()
        self._keepers: list[threading.Thread] = []
        # The owner's thread takes no lock (see Changes): it reads and writes single items.
        self._changes = Changes()
        self._running: dict[str, Program] = {}
        self._starts = dict.fromkeys(self._processes, 0)
        self._stopping = False
        self._failure: Exception | None = None

    def start(self) -> None:
        """Start every process once and keep them running; returns at once."""
        for name in self._processes:
            keeper = threading.Thread(target=self._keep, args=(name,), name=name, daemon=True)
            keeper.start()
            self._keepers.append(keeper)

    def pid(self, name: str) -> int | None:
        """Return the pid of the program itself, None while it is between two runs."""
        program = self._running.get(name)
        return program.pid if program else None

    def restarts(self, name: str) -> int:
        """Return how often `name` was started again."""
        return max(0, self._starts[name] - 1)

    def wait_running(self, name: str, *, restarts: int = 0, timeout: float = 30.0) -> int:
        """Return the pid of `name` once it runs and was started again at least `restarts` times.

        Raises TimeoutError after `timeout` seconds; what `wait` raises, or RuntimeError, if all
        are being stopped.
        """
        seen: list[int] = []

        def runs() -> bool:
            pid = self.pid(name)
            if pid is not None and self._starts[name] > restarts:
                seen.append(pid)
            return self._stopping or bool(seen)

        if not self._changes.wait_for(runs, timeout):
            raise TimeoutError(f"{name} was not running again within {timeout} s")
        self._raise_failure()
        if self._stopping:
            raise RuntimeError(f"{name} does not run again: the processes are being stopped")
        return seen[0]

    def wait(self) -> None:
        """Block until `request_stop`.

        Raises ProcessRefused if a process exited as wrongly started, OSError if one could not be
        started or its output not be passed on; all have been told to end by then.
        """
        self._changes.wait_for(self._is_stopping)
        self._raise_failure()

    def request_stop(self) -> None:
        """Tell every process to end and let `wait` return; `stop` sees to the rest.

        Any thread may call it, a signal handler too, and again if it was interrupted.
        """
        self._stopping = True
        for program in tuple(self._running.values()):
            program.terminate()
        self._changes.announce()

    def stop(self, grace: float) -> None:
        """End every process: SIGTERM to each, after `grace` seconds SIGKILL to the groups left.

        Afterwards none of them runs and their output has been passed on. A second call does
        nothing. Interrupted by another Ctrl-C, it leaves the rest to the end of the owner.
        """
        self.request_stop()
        self._changes.wait_for(lambda: not self._running, grace)
        for program in tuple(self._running.values()):
            kill_group(program.pid)
        for keeper in self._keepers:
            keeper.join(_KEEPER_SECONDS)
        self._launcher.close()

    def __enter__(self) -> Supervisor:
        """Start; leaving stops all with a grace of 10 s."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(_GRACE_SECONDS)

    def _keep(self, name: str) -> None:
        delay = 0.0
        try:
            while (program := self._run(name)) is not None:
                began = time.monotonic()
                code = self._until_end(name, program)
                last_lines = program.last_lines()
                if code in REFUSALS:
                    return self._fail(ProcessRefused(name, code, last_lines))
                delay = self._backoff.after(delay, time.monotonic() - began)
                self._changes.wait_for(self._is_stopping, delay)
        except OSError as error:
            self._fail(error)

    def _run(self, name: str) -> Program | None:
        if self._is_stopping():
            return None
        program = self._launcher.launch(name, self._processes[name], on_output_lost=self._fail)
        self._starts[name] += 1
        self._running[name] = program
        if self._is_stopping():  # meanwhile: whoever asked for it may not have seen this one
            program.terminate()
        self._changes.announce()
        return program

    def _until_end(self, name: str, program: Program) -> int:
        code = self._launcher.until_end(program)
        del self._running[name]
        self._changes.announce()
        return code

    def _fail(self, error: Exception) -> None:
        if not self._stopping:
            self._failure = error
            self.request_stop()

    def _is_stopping(self) -> bool:
        return self._stopping

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure
