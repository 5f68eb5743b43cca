"""Wakes: Celery messages of job ids, sent by a thread next to the event loop.

Celery's publishing blocks, hence the thread. A lone wake is sent immediately; job ids that arrive
shortly after it share the next message. A wake that cannot be sent is dropped: the sweep finds
pending callbacks.
"""

import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from celery import Celery

from webhook.contract import Task, celery_app
from webhook.log import get_logger
from webhook.task_sender import TaskSender

MAX_WAITING = 1_000
MAX_IDS = 250
# Seconds for which ids are collected after each message: sending one takes the processor time of
# several callbacks, 1.5 ms at 400 callbacks a second. Pausing ten times as long as a send took was
# as little work, but up to 100 ms where Redis writes to a slow disk.
PAUSE = 0.04
PAUSE_AFTER_FAILURE = 1.0

# Measured: with kombu's defaults a publish to a Redis that hangs blocks for more than 25 s.
_REDIS: dict[str, object] = {
    "socket_timeout": 2,
    "socket_connect_timeout": 1,
    "max_retries": 0,
    "health_check_interval": 15,
}
_RABBITMQ: dict[str, object] = {"read_timeout": 5, "write_timeout": 2, "connect_timeout": 1}
# One immediate retry: an idle connection may have been cut.
_RETRY = {"max_retries": 1, "interval_start": 0, "interval_max": 0}

log = get_logger()


def publishing_app(broker_url: str) -> Celery:
    """Return a Celery application that publishes to Redis or RabbitMQ with short timeouts."""
    return celery_app(broker_url, redis=_REDIS, rabbitmq=_RABBITMQ)


class WakePublisher:
    """A thread that sends `falhook.ingest` for job ids queued by the event loop.

    It calls `count` with True for each message sent, with False for each one lost.
    """

    def __init__(
        self,
        celery: Celery,
        *,
        count: Callable[[bool], None] = lambda _sent: None,
    ) -> None:
        self._celery = celery
        self._sender = TaskSender(celery, retry_policy=_RETRY)
        self._count = count
        self._waiting: queue.Queue[Sequence[str]] = queue.Queue(MAX_WAITING)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="waker", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout: float = 3.0) -> None:
        """Send queued job ids, for at most `timeout` seconds, then end the thread."""
        self._stopped.set()
        with suppress(queue.Full):
            self._waiting.put_nowait(())
        self._thread.join(timeout)

    def __call__(self, job_ids: Sequence[str]) -> None:
        """Queue job ids without blocking; drop them if the queue is full."""
        try:
            self._waiting.put_nowait(job_ids)
        except queue.Full:
            self._count(False)

    def _run(self) -> None:
        while not (self._stopped.is_set() and self._waiting.empty()):
            ids = self._gather(self._waiting.get())
            batches = [ids[start : start + MAX_IDS] for start in range(0, len(ids), MAX_IDS)]
            sent = all(self._send(batch) for batch in batches)
            self._stopped.wait(PAUSE if sent else PAUSE_AFTER_FAILURE)
        self._celery.close()

    def _gather(self, first: Sequence[str]) -> Sequence[str]:
        ids = dict.fromkeys(first)
        with suppress(queue.Empty):
            while True:
                ids.update(dict.fromkeys(self._waiting.get_nowait()))
        return list(ids)

    def _send(self, job_ids: Sequence[str]) -> bool:
        try:
            # The repr of all ids would cost as much as the message itself.
            self._sender(Task.INGEST, job_ids, argsrepr=f"({len(job_ids)} jobs,)")
        except Exception as error:  # noqa: BLE001  # kombu raises each transport's own errors
            log.warning("wake.failed", error=error, jobs=len(job_ids))
            self._count(False)
            return False
        self._count(True)
        return True
