"""An event that is owed: what a receiver is told of, in one line of text.

`{job} {n} {before} {state} {at}`, as worker/jobs/transition.lua writes it in the same step in which
it changes the state. `n` counts the owed events of one job. A line that begins with ~ is not about
a job: `~{endpoint}` has been disabled, or is tried by hand.
"""

from dataclasses import dataclass
from typing import Self

from worker.notifications.event_types import DISABLED, TEST, type_of

# Stands for the state before a job was created.
_NONE = "-"
_OTHER = "~"
_DISABLED_STATE, _TEST_STATE = "disabled", "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwedEvent:
    """One event; `at` is the time of the change as text, in Unix seconds."""

    subject: str
    n: int
    before: str
    state: str
    at: str

    @classmethod
    def disabled(cls, endpoint: str, n: int, at: float) -> Self:
        """Return the event that the endpoint was disabled, for the n-th time."""
        subject, at_text = f"{_OTHER}{endpoint}", f"{at:.6f}"
        return cls(subject=subject, n=n, before="enabled", state=_DISABLED_STATE, at=at_text)

    @classmethod
    def test(cls, endpoint: str, n: int, at: float) -> Self:
        """Return the n-th event with which an endpoint is tried."""
        subject, at_text = f"{_OTHER}{endpoint}", f"{at:.6f}"
        return cls(subject=subject, n=n, before="", state=_TEST_STATE, at=at_text)

    @classmethod
    def parse(cls, line: str) -> Self:
        """Return the event of a line."""
        subject, n, before, state, at = line.split(" ")
        before = "" if before == _NONE else before
        return cls(subject=subject, n=int(n), before=before, state=state, at=at)

    @property
    def line(self) -> str:
        """The event as a line."""
        return f"{self.subject} {self.n} {self.before or _NONE} {self.state} {self.at}"

    @property
    def job(self) -> str:
        """The id of its job; empty if it is not about a job."""
        return "" if self.subject.startswith(_OTHER) else self.subject

    @property
    def endpoint(self) -> str:
        """The endpoint that it is about; empty if it is about a job."""
        return "" if self.job else self.subject[len(_OTHER) :]

    @property
    def type(self) -> str:
        """The type of the event."""
        if self.job:
            return type_of(self.state)
        return DISABLED if self.state == _DISABLED_STATE else TEST
