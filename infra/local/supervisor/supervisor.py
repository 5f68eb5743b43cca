"""Keeps the processes of a Procfile running.

Unlike `honcho start`, which ends everything when one process ends, a process that dies is started
again: workers are killed, run out of memory or leave on a fault of the broker, and the stack has
to go on. The exception is a process that says it was started wrongly: then all are ended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from infra.local.supervisor.keeper import Keeper
from infra.local.supervisor.launcher import Launcher
from infra.local.supervisor.process_guard import kill_group
from infra.local.supervisor.registry import ProcessRegistry
from infra.local.supervisor.restart_policy import Backoff

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
        """Start nothing yet. `output` gets every line, from several threads at once.

        That a process ended and is started again is told there too, under its name.
        """
        self._launcher = Launcher(environ=environ, cwd=cwd, output=output)
        self._runs = ProcessRegistry(processes)
        self._keepers = [
            Keeper(
                name,
                command,
                launcher=self._launcher,
                runs=self._runs,
                backoff=backoff or Backoff(),
                output=output,
            )
            for name, command in processes.items()
        ]
        self._started: list[Keeper] = []

    def start(self) -> None:
        """Start every process once and keep them running; returns at once."""
        for keeper in self._keepers:
            keeper.start()
            self._started.append(keeper)

    def pid(self, name: str) -> int | None:
        """Return the pid of the program itself, None while it is between two runs."""
        return self._runs.pid(name)

    def restarts(self, name: str) -> int:
        """Return how often `name` was started again."""
        return max(0, self._runs.starts(name) - 1)

    def wait_running(self, name: str, *, restarts: int = 0, timeout: float = 30.0) -> int:
        """Return the pid of `name` once it runs and was started again at least `restarts` times.

        Raises TimeoutError after `timeout` seconds; what `wait` raises, or RuntimeError, if all
        are being stopped.
        """
        seen: list[int] = []

        def runs() -> bool:
            pid = self._runs.pid(name)
            if pid is not None and self._runs.starts(name) > restarts:
                seen.append(pid)
            return self._runs.is_stopping() or bool(seen)

        if not self._runs.changes.wait_for(runs, timeout):
            raise TimeoutError(f"{name} was not running again within {timeout} s")
        self._runs.raise_failure()
        if self._runs.is_stopping():
            raise RuntimeError(f"{name} does not run again: the processes are being stopped")
        return seen[0]

    def wait(self) -> None:
        """Block until `request_stop`.

        Raises ProcessRefused if a process exited as wrongly started, OSError if one could not be
        started or its output not be passed on; all have been told to end by then.
        """
        self._runs.changes.wait_for(self._runs.is_stopping)
        self._runs.raise_failure()

    def request_stop(self) -> None:
        """Tell every process to end and let `wait` return; `stop` sees to the rest.

        Any thread may call it, a signal handler too, and again if it was interrupted.
        """
        self._runs.request_stop()

    def stop(self, grace: float) -> None:
        """End every process: SIGTERM to each, after `grace` seconds SIGKILL to the groups left.

        Afterwards none of them runs and their output has been passed on. A second call does
        nothing. Interrupted by another Ctrl-C, it leaves the rest to the end of the owner.
        """
        self._runs.request_stop()
        self._runs.changes.wait_for(lambda: not self._runs.programs(), grace)
        for program in self._runs.programs():
            kill_group(program.pid)
        for keeper in self._started:
            keeper.join(_KEEPER_SECONDS)
        self._launcher.close()

    def __enter__(self) -> Supervisor:
        """Start; leaving stops all with a grace of 10 s."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(_GRACE_SECONDS)
