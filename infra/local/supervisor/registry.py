"""Which programs of a supervisor run just now, and whether they are to."""

from __future__ import annotations

from collections.abc import Iterable

from infra.local.supervisor.condition import Condition
from infra.local.supervisor.process import Program


class ProcessRegistry:
    """What the threads of one supervisor know of each other's programs.

    Nobody takes a lock (see Changes): single items are read and written.
    """

    def __init__(self, names: Iterable[str]) -> None:
        """Begin with nothing started under these names."""
        self.changes = Condition()
        self._running: dict[str, Program] = {}
        self._starts = dict.fromkeys(names, 0)
        self._stopping = False
        self._failure: Exception | None = None

    def pid(self, name: str) -> int | None:
        """Return the pid of the program itself, None while it is between two runs."""
        program = self._running.get(name)
        return program.pid if program else None

    def starts(self, name: str) -> int:
        """Return how often `name` was started."""
        return self._starts[name]

    def programs(self) -> tuple[Program, ...]:
        """Return those that run."""
        return tuple(self._running.values())

    def began(self, name: str, program: Program) -> None:
        """Note a start; a program that came too late is told to end."""
        self._starts[name] += 1
        self._running[name] = program
        if self._stopping:  # meanwhile: whoever asked for it may not have seen this one
            program.terminate()
        self.changes.announce()

    def ended(self, name: str) -> None:
        """Note an end."""
        del self._running[name]
        self.changes.announce()

    def is_stopping(self) -> bool:
        """Say whether all are to end."""
        return self._stopping

    def request_stop(self) -> None:
        """Tell all to end; another call tells those again that have not been told."""
        self._stopping = True
        for program in self.programs():
            program.terminate()
        self.changes.announce()

    def fail(self, error: Exception) -> None:
        """Tell all to end because of `error`, unless they are told to already."""
        if not self._stopping:
            self._failure = error
            self.request_stop()

    def raise_failure(self) -> None:
        """Raise what `fail` was told."""
        if self._failure is not None:
            raise self._failure
