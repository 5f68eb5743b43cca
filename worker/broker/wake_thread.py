"""Wakes that are sent by a thread, so that whoever stored a job need not wait for the broker.

A wake alone is sent at once. Those that come shortly after it are sent together: on Redis that is
one round trip, and one write to its disk. A wake that was sent is not sent again for as long as the
sweep takes to find that it was lost.
"""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from celery import Celery

from webhook.contract import Task
from webhook.log import get_logger
from webhook.task_sender import TaskSender

# Wakes that wait; beyond them the sweep has to find the jobs.
MOST = 10_000
# Seconds for which wakes are gathered after each round, and after one that failed.
PAUSE, PAUSE_AFTER_FAILURE = 0.04, 1.0
_TRIES = 2

log = get_logger()

_Wake = tuple[Task, str]


class WakeThread:
    """Sends the messages of tasks for jobs; a failure is logged and left to the sweep.

    So are those that wait when the process is killed. `lost_after` is how many seconds the sweep
    takes to find a lost one, `clock` monotonic seconds.
    """

    def __init__(
        self, app: Celery, *, lost_after: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._send = TaskSender(app).together
        self._lost_after = lost_after
        self._clock = clock
        self._waiting: queue.Queue[_Wake | None] = queue.Queue(MOST)
        # When each of the last wakes was sent, the oldest first.
        self._recent: dict[_Wake, float] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wakes", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self, timeout: float = 3.0) -> None:
        """Send what waits, for at most `timeout` seconds, then end the thread."""
        self._stopped.set()
        with suppress(queue.Full):
            self._waiting.put_nowait(None)
        self._thread.join(timeout)

    def __call__(self, task: Task, job_id: str) -> None:
        """Have the message of a task sent for a job; it never waits."""
        try:
            self._waiting.put_nowait((task, job_id))
        except queue.Full:
            log.warning("wake.failed", step=task, error="too many wakes wait for the broker")

    def _run(self) -> None:
        while not (self._stopped.is_set() and self._waiting.empty()):
            wakes = self._gathered()
            sent = all(
                self._sent(task, [job_id for each, job_id in wakes if each is task])
                for task in {task for task, _ in wakes}
            )
            if wakes:
                self._stopped.wait(PAUSE if sent else PAUSE_AFTER_FAILURE)

    def _gathered(self) -> Sequence[_Wake]:
        """Return what waits, once there is anything, without what was sent a moment ago."""
        waiting = [self._waiting.get()]
        with suppress(queue.Empty):
            while True:
                waiting.append(self._waiting.get_nowait())
        self._forget()
        return [wake for wake in dict.fromkeys(waiting) if wake and wake not in self._recent]

    def _forget(self) -> None:
        long_ago = self._clock() - self._lost_after
        while self._recent:
            wake, sent_at = next(iter(self._recent.items()))
            if sent_at > long_ago and len(self._recent) <= MOST:
                break
            del self._recent[wake]

    def _sent(self, task: Task, job_ids: Sequence[str]) -> bool:
        for left in reversed(range(_TRIES)):
            try:
                self._send(task, job_ids)
            except Exception as error:  # noqa: BLE001  # kombu raises each transport's own errors
                if not left:
                    log.warning("wake.failed", step=task, error=error, jobs=len(job_ids))
            else:
                self._recent |= dict.fromkeys(((task, each) for each in job_ids), self._clock())
                return True
        return False
