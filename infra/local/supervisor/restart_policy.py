"""The rules for restarting a process: whether, and after which delay."""

import json
import signal
from dataclasses import dataclass

# 2: our programs' code for invalid settings; 126 and 127: the shell's "not executable" and "not
# found". A restart would end the same way.
REFUSAL_CODES = frozenset({2, 126, 127})


class ProcessRefused(RuntimeError):
    """A process refused to start; it is not restarted, and all others are stopped."""

    def __init__(self, name: str, code: int, last_lines: tuple[str, ...]) -> None:
        """Store the name of the process, its exit code and its last lines of output."""
        why = _sentences(last_lines) or last_lines
        super().__init__("\n".join((f"{name} refused to start (exit code {code}):", *why)))
        self.name = name
        self.code = code
        self.last_lines = last_lines


def _sentences(lines: tuple[str, ...]) -> tuple[str, ...]:
    """Return the sentences of the lines that say why a process of falhook does not start."""
    sentences = []
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("event") == "process.refused":
            sentences.append(str(entry.get("sentence")))
    return tuple(sentences)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """The delays before restarts, in seconds."""

    first: float = 0.2
    factor: float = 2.0
    longest: float = 5.0
    settled: float = 10.0  # after a run of this length, the delay is `first` again

    def after(self, previous: float, ran: float) -> float:
        """Return the delay after the delay `previous` (0: none) and a run of `ran` seconds."""
        if previous == 0 or ran >= self.settled:
            return self.first
        return min(previous * self.factor, self.longest)


def describe_exit(code: int) -> str:
    """Describe how a process ended, by its exit code or by the signal that killed it."""
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal
        return f"was killed by signal {-code}"
