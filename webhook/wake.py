"""Wakes: Celery messages that carry job ids alone, sent beside the event loop.

Celery's publishing blocks, so one thread sends for all; what arrives meanwhile shares the next
message. A wake that cannot be sent is dropped: the sweep finds the inbox's pending entries.
"""

import queue
import threading
from collections.abc import Sequence
from contextlib import suppress

from celery import Celery

from webhook.contract import Task
from webhook.log import get_logger

MAX_WAITING = 1_000
MAX_IDS = 100

log = get_logger()


class Waker:
    """Sends `falhook.ingest` for job ids handed over from the event loop."""

    def __init__(self, celery: Celery) -> None:
        self._celery = celery
        self._waiting: queue.Queue[Sequence[str] | None] = queue.Queue(MAX_WAITING)
        self._thread = threading.Thread(target=self._run, name="waker", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self, timeout: float = 3.0) -> None:
        """Send what was handed over, for `timeout` seconds at most, and end."""
        with suppress(queue.Full):
            self._waiting.put(None, timeout=timeout)
        self._thread.join(timeout)

    def __call__(self, job_ids: Sequence[str]) -> None:
        """Hand over job ids; never blocks, and drops them when too many wait."""
        try:
            self._waiting.put_nowait(job_ids)
        except queue.Full:
            log.warning("wake.failed", error="queue_full", jobs=len(job_ids))

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            ids, ended = self._gather(first)
            for start in range(0, len(ids), MAX_IDS):
                self._send(ids[start : start + MAX_IDS])
            if ended:
                return

    def _gather(self, first: Sequence[str]) -> tuple[list[str], bool]:
        ids = dict.fromkeys(first)
        while True:
            try:
                more = self._waiting.get_nowait()
            except queue.Empty:
                return list(ids), False
            if more is None:
                return list(ids), True
            ids.update(dict.fromkeys(more))

    def _send(self, job_ids: Sequence[str]) -> None:
        try:
            self._celery.send_task(Task.INGEST, args=[list(job_ids)], retry=False)
        except Exception as error:  # noqa: BLE001  # kombu raises each transport's own errors
            log.warning("wake.failed", error=type(error).__name__, jobs=len(job_ids))
