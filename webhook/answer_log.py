"""The log of answered callbacks: accepted ones at info, refused ones at warning, up to a rate.

A refusal is either an attack, a wrong setting, or an outage, and worth an alert; a flood of them
must not fill the log. The metric falhook_callbacks counts all of them.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from webhook.log import get_logger, write_finished

# Refusals of one outcome that are logged within WINDOW seconds; the first line of the next window
# counts those that were not.
MOST_REFUSALS = 20
WINDOW = 60.0

# The line that the logger would write; an accepted job id (contract.JOB_ID) needs no escaping.
_ACCEPTED = (
    '{"outcome": "accepted", "job": "%s", "event": "callback.received", "level": "info", '
    '"timestamp": "%sZ"}\n'
)

log = get_logger()


class AnswerLog:
    """The lines of one receiver, limited for each outcome; `clock` is monotonic seconds."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._windows: dict[str, _Window] = {}

    def write(self, outcome: str, job_id: str | None) -> None:
        """Log one answer; `job_id` is None if the address was not ours."""
        if outcome == "accepted":
            if not write_finished(_ACCEPTED % (job_id, datetime.now(UTC).isoformat()[:-6])):
                log.info("callback.received", outcome=outcome, job=job_id)
            return
        window = self._windows.setdefault(outcome, _Window())
        unlogged = window.enter(self._clock())
        if unlogged is not None:
            more = {"unlogged": unlogged} if unlogged else {}
            log.warning("callback.received", outcome=outcome, job=job_id, **more)


class _Window:
    """The refusals of one outcome in one window of time."""

    def __init__(self) -> None:
        self._began = float("-inf")
        self._count = 0

    def enter(self, now: float) -> int | None:
        """Count a refusal; return how many were not logged before it, None if it is not either."""
        unlogged = 0
        if now - self._began >= WINDOW:
            unlogged = max(0, self._count - MOST_REFUSALS)
            self._began, self._count = now, 0
        self._count += 1
        return unlogged if self._count <= MOST_REFUSALS else None
