"""A supervisor that keeps the processes of a Procfile running.

`honcho start` stops everything when one process ends. This supervisor restarts the process,
because workers are killed, run out of memory or exit on a broker error, and the stack must go on.
The exception is a process that refuses to start, for example on invalid settings: then all stop.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from infra.local.supervisor.launcher import Launcher
from infra.local.supervisor.process_guard import kill_group
from infra.local.supervisor.registry import ProcessRegistry
from infra.local.supervisor.restart_loop import RestartLoop
from infra.local.supervisor.restart_policy import Backoff

_GRACE_SECONDS = 10.0
_LOOP_SECONDS = 5.0


class Supervisor:
    """A set of named commands, each run in its own session until `stop`.

    Ctrl-C in a terminal reaches only the owner, which then calls `stop`. If the owner ends without
    `stop`, even by SIGKILL, every process and its group are killed.
    """

    def __init__(
        self,
        *,
        processes: Mapping[str, str],
        environ: Mapping[str, str],
        cwd: Path,
        output: Callable[[str, bytes], None],
        restarts: Callable[[str, bytes], None] | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        """Prepare the processes. `output` receives every line, concurrently from several threads.

        `restarts` receives a line for each restart, under the name of the process; the default is
        `output`.
        """
        self._launcher = Launcher(environ=environ, cwd=cwd, output=output)
        self._registry = ProcessRegistry(processes)
        self._loops = [
            RestartLoop(
                name,
                command,
                launcher=self._launcher,
                registry=self._registry,
                backoff=backoff or Backoff(),
                output=restarts or output,
            )
            for name, command in processes.items()
        ]
        self._started: list[RestartLoop] = []

    def start(self) -> None:
        """Start every process and keep it running; return immediately."""
        for loop in self._loops:
            loop.start()
            self._started.append(loop)

    def pid(self, name: str) -> int | None:
        """Return the pid of the program, or None between two runs."""
        return self._registry.pid(name)

    def restarts(self, name: str) -> int:
        """Return how many times `name` was restarted."""
        return max(0, self._registry.starts(name) - 1)

    def wait_running(self, name: str, *, restarts: int = 0, timeout: float = 30.0) -> int:
        """Return the pid of `name` once it runs and was restarted at least `restarts` times.

        Raise TimeoutError after `timeout` seconds. If the processes are being stopped, raise the
        error that `wait` raises, or RuntimeError if there is none.
        """
        pids: list[int] = []

        def runs() -> bool:
            pid = self._registry.pid(name)
            if pid is not None and self._registry.starts(name) > restarts:
                pids.append(pid)
            return self._registry.is_stopping() or bool(pids)

        if not self._registry.changes.wait_for(runs, timeout):
            raise TimeoutError(f"{name} was not running after {timeout} s")
        self._registry.raise_failure()
        if self._registry.is_stopping():
            raise RuntimeError(f"{name} is not restarted: the processes are being stopped")
        return pids[0]

    def wait(self) -> None:
        """Block until `request_stop` is called.

        Raise ProcessRefused if a process refused to start, and OSError if one could not be started
        or its output could not be written. All processes have been sent SIGTERM by then.
        """
        self._registry.changes.wait_for(self._registry.is_stopping)
        self._registry.raise_failure()

    def require_running(self) -> None:
        """Return if the processes are kept running; otherwise raise what `wait_running` raises."""
        self._registry.raise_failure()
        if self._registry.is_stopping():
            raise RuntimeError("no process is restarted: the processes are being stopped")

    def fail(self, error: Exception) -> None:
        """End every process because of `error`, which `wait` raises then; see `request_stop`."""
        self._registry.fail(error)

    def request_stop(self) -> None:
        """Send SIGTERM to every process and let `wait` return; `stop` does the rest.

        Safe in any thread and in a signal handler. Call it again if it was interrupted.
        """
        self._registry.request_stop()

    def stop(self, grace: float) -> None:
        """Stop every process: SIGTERM, then SIGKILL to the remaining groups after `grace` seconds.

        Afterwards no process runs and all output has been written. A second call does nothing. If
        another Ctrl-C interrupts it, the remaining processes are killed when the owner ends.
        """
        self._registry.request_stop()
        self._registry.changes.wait_for(lambda: not self._registry.programs(), grace)
        for program in self._registry.programs():
            kill_group(program.pid)
        for loop in self._started:
            loop.join(_LOOP_SECONDS)
        self._launcher.close()

    def __enter__(self) -> Self:
        """Start the processes; leaving the block stops them with a grace of 10 s."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(_GRACE_SECONDS)
