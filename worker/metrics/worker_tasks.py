"""What a worker process does: the tasks of its pool, by outcome, and its threads."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from prometheus_client.core import Metric

from webhook.contract import Queue, Task
from worker.metrics.manifest import Family
from worker.metrics.times import Times

BOUNDS = (0.05, 0.25, 1, 5, 30, 120, 600, 3600)
# How Celery calls the end of a task, by what it is here.
_OUTCOMES = {"SUCCESS": "done", "FAILURE": "failed", "RETRY": "repeated"}


@dataclass(slots=True, kw_only=True)
class WorkerTasks:
    """Counts the tasks of this process; its methods may be called in any thread.

    `queue` is the first that it takes from, `slots` the threads of its pool; `clock` is monotonic
    seconds.
    """

    queue: Queue = Queue.SUBMIT
    slots: int = 0
    clock: Callable[[], float] = time.monotonic
    _times: dict[tuple[str, str], Times] = field(default_factory=dict)
    _began: dict[int, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> None:
        """Note that this thread has begun with a message."""
        self._began[threading.get_ident()] = self.clock()

    def end(self, task: str, state: str) -> None:
        """Count the message of this thread; `state` is Celery's of its task."""
        began = self._began.pop(threading.get_ident(), None)
        if began is None:
            return
        name = task if task in set(Task) else "other"
        key = name, _OUTCOMES.get(state, "other")
        with self._lock:
            self._times.setdefault(key, Times(BOUNDS)).add(self.clock() - began)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        for name, value in (
            ("falhook_pool_threads", self.slots),
            ("falhook_busy_threads", len(self._began)),
        ):
            family = Family(name)
            family.add(value, queue=self.queue)
            yield family.metric
        tasks = Family("falhook_task_seconds")
        with self._lock:
            for (task, outcome), times in sorted(self._times.items()):
                tasks.add_times(times, task=task, outcome=outcome)
        yield tasks.metric
