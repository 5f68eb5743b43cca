"""The state of a supervisor's programs: running, restarted, stopping or failed."""

from collections.abc import Iterable

from infra.local.supervisor.condition import Condition
from infra.local.supervisor.process import Program


class ProcessRegistry:
    """The state that the threads of one supervisor share.

    It needs no lock (see `Condition`): threads read and write single items.
    """

    def __init__(self, names: Iterable[str]) -> None:
        """Create the registry of programs with these names, none started."""
        self.changes = Condition()
        self._running: dict[str, Program] = {}
        self._starts = dict.fromkeys(names, 0)
        self._stopping = False
        self._failure: Exception | None = None

    def pid(self, name: str) -> int | None:
        """Return the pid of the program, or None between two runs."""
        program = self._running.get(name)
        return program.pid if program else None

    def starts(self, name: str) -> int:
        """Return how many times `name` was started."""
        return self._starts[name]

    def programs(self) -> tuple[Program, ...]:
        """Return the running programs."""
        return tuple(self._running.values())

    def record_start(self, name: str, program: Program) -> None:
        """Record a start; terminate the program if the supervisor is stopping."""
        self._starts[name] += 1
        self._running[name] = program
        if self._stopping:  # `request_stop` may have run before this program was recorded
            program.terminate()
        self.changes.notify_all()

    def record_end(self, name: str) -> None:
        """Record an end."""
        del self._running[name]
        self.changes.notify_all()

    def is_stopping(self) -> bool:
        """Return whether a stop was requested."""
        return self._stopping

    def request_stop(self) -> None:
        """Terminate all programs. Another call reaches those that an interrupted call missed."""
        self._stopping = True
        for program in self.programs():
            program.terminate()
        self.changes.notify_all()

    def fail(self, error: Exception) -> None:
        """Terminate all programs because of `error`, unless a stop was already requested."""
        if not self._stopping:
            self._failure = error
            self.request_stop()

    def raise_failure(self) -> None:
        """Raise the error passed to `fail`, if any."""
        if self._failure is not None:
            raise self._failure
