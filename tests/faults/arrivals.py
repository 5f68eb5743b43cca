"""Jobs that arrive while servers fail."""

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from redis.exceptions import RedisError

from tests.faults.system import ENDPOINT
from webhook.contract import Task
from worker.jobs.job import Job
from worker.jobs.store import JobStore

# Seconds between two jobs.
PACE = 0.4
# Threads that create them: each may wait for a frozen server.
LANES = 6


@dataclass(slots=True, kw_only=True)
class Arrivals:
    """Jobs that arrive until the block ends."""

    store: JobStore
    wake: Callable[[str], None]
    created: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def _run(self, lane: int) -> None:
        for number in itertools.count():
            if self._over.wait(PACE * LANES):
                return
            job_id = f"failover-{lane}-{number}"
            job = Job(id=job_id, endpoint=ENDPOINT, arguments={"prompt": f"A fox, {job_id}"})
            while not self._over.is_set():
                try:
                    due = self.store.clock() + 20
                    self.store.add(job, due=due, event={"name": "created", "step": Task.CREATE})
                except RedisError:
                    self._over.wait(0.5)
                else:
                    self.created.append(job_id)
                    self.wake(job_id)
                    break

    @contextmanager
    def arriving(self) -> Iterator[None]:
        """Create jobs in other threads during the block."""
        threads = [
            threading.Thread(target=self._run, args=(lane,), daemon=True) for lane in range(LANES)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join()
