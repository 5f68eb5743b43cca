"""Whether, and how soon, a process that ended is started again."""

from __future__ import annotations

import signal
from dataclasses import dataclass

# 2: half-configured, said in one sentence; 126 and 127: the shell's "cannot be run" and "not
# found". Another start would end the same way.
REFUSALS = frozenset({2, 126, 127})


class ProcessRefused(RuntimeError):
    """A process exited as wrongly started: not started again, and all others are ended."""

    def __init__(self, name: str, code: int, last_lines: tuple[str, ...]) -> None:
        """Keep which process it was, its exit code and the end of its output."""
        super().__init__("\n".join((f"{name} refused to start (exit code {code}):", *last_lines)))
        self.name = name
        self.code = code
        self.last_lines = last_lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to wait before a process that died is started again, in seconds."""

    first: float = 0.2
    factor: float = 2.0
    longest: float = 5.0
    settled: float = 10.0  # having run so long, the next death counts as the first

    def after(self, previous: float, ran: float) -> float:
        """Return the delay that follows `previous` (0: none yet) for a process that `ran` s."""
        if previous == 0 or ran >= self.settled:
            return self.first
        return min(previous * self.factor, self.longest)


def ending(code: int) -> str:
    """Say how a process ended: by itself with its exit code, or by which signal."""
    if code >= 0:
        return f"ended by itself (exit code {code})"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal
        return f"was ended by signal {-code}"
