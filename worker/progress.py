"""Progress of long steps, told on the event stream at a sane rate."""

import time
from collections.abc import Callable

from worker.jobs import Job
from worker.records import Change, Records

# Seconds between two tellings, and before the first: short steps tell nothing.
INTERVAL = 2.0


class Progress:
    """Tells how far steps are. `clock` is monotonic seconds."""

    def __init__(self, records: Records, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._records = records
        self._clock = clock

    def fraction(self, job: Job, step: str) -> Callable[[float], None]:
        """A callback for the fraction done, 0 to 1."""
        last = self._clock()

        def tell(done: float) -> None:
            nonlocal last
            if self._clock() - last < INTERVAL:
                return
            last = self._clock()
            event = {"name": "progress", "step": step, "fraction": f"{done:.3f}"}
            self._records.change(job.id, [job.state], Change(event=event))

        return tell

    def bytes(self, job: Job, step: str) -> Callable[[int, int | None], None]:
        """A callback for the bytes done and, where known, the bytes in all."""
        tell = self.fraction(job, step)

        def count(done: int, total: int | None) -> None:
            if total:
                tell(done / total)

        return count
