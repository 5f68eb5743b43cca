"""Progress of long steps, told on the event stream at a sane rate."""

import time
from collections.abc import Callable, Mapping

from worker.jobs.change import Change
from worker.jobs.job import Job
from worker.jobs.store import JobStore
from worker.transcode.ffmpeg import Advance

# Seconds between two tellings, and before the first: short steps tell nothing.
INTERVAL = 2.0


class Progress:
    """Tells how far steps are. `clock` is monotonic seconds."""

    def __init__(self, records: JobStore, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._records = records
        self._clock = clock

    def encoding(self, job: Job, step: str) -> Callable[[Advance], None]:
        """A callback for how far an encoder is: its frames, their rate, and the seconds left."""
        tell = self._teller(job, step)

        def count(done: Advance) -> None:
            numbers = {"frames": str(done.frames), "fps": f"{done.fps:.1f}"}
            tell(done.fraction, numbers | {"left": f"{done.left:.1f}"})

        return count

    def bytes(self, job: Job, step: str) -> Callable[[int, int | None], None]:
        """A callback for the bytes done and, where known, the bytes in all."""
        tell, begun = self._teller(job, step), self._clock()

        def count(done: int, total: int | None) -> None:
            if total and done:
                left = (self._clock() - begun) * (total - done) / done
                tell(done / total, {"left": f"{left:.1f}"})

        return count

    def _teller(self, job: Job, step: str) -> Callable[[float, Mapping[str, str]], None]:
        """Tells the fraction done, 0 to 1, and what is known beside it, at a sane rate."""
        last = self._clock()

        def tell(done: float, more: Mapping[str, str]) -> None:
            nonlocal last
            if self._clock() - last < INTERVAL:
                return
            last = self._clock()
            event = {"name": "progress", "step": step, "fraction": f"{done:.3f}", **more}
            self._records.change(job.id, [job.state], Change(event=event))

        return tell
