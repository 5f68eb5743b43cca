"""Progress of long steps, appended to the event stream at a limited rate."""

import time
from collections.abc import Callable, Mapping

from worker.jobs.change import Change
from worker.jobs.job import Job
from worker.jobs.store import JobStore
from worker.transcode.ffmpeg import Advance

# Seconds between two progress events, and before the first: short steps have none.
INTERVAL = 2.0


class Progress:
    """Reports the progress of steps. `clock` is monotonic seconds."""

    def __init__(self, store: JobStore, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock

    def encoding(self, job: Job, step: str) -> Callable[[Advance], None]:
        """Return a callback for an encoder's progress: frames, their rate, and the seconds left."""
        report = self._reporter(job, step)

        def advanced(advance: Advance) -> None:
            numbers = {"frames": str(advance.frames), "fps": f"{advance.fps:.1f}"}
            report(advance.fraction, numbers | {"left": f"{advance.left:.1f}"})

        return advanced

    def bytes(self, job: Job, step: str) -> Callable[[int, int | None], None]:
        """Return a callback for the bytes done and, if known, the bytes in all."""
        report, start = self._reporter(job, step), self._clock()

        def advanced(done: int, total: int | None) -> None:
            if total and done:
                left = (self._clock() - start) * (total - done) / done
                report(done / total, {"left": f"{left:.1f}"})

        return advanced

    def _reporter(self, job: Job, step: str) -> Callable[[float, Mapping[str, str]], None]:
        """Return a callback for the fraction done, 0 to 1, and more fields of the event."""
        last = self._clock()

        def report(fraction: float, fields: Mapping[str, str]) -> None:
            nonlocal last
            if self._clock() - last < INTERVAL:
                return
            last = self._clock()
            event = {"name": "progress", "step": step, "fraction": f"{fraction:.3f}", **fields}
            self._store.change(job.id, [job.state], Change(event=event))

        return report
