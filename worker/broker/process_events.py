"""Log lines for the start and stop of a worker and of beat, in place of what Celery prints."""

import atexit
from typing import Any, TextIO

from celery.apps import worker as celery_worker
from celery.signals import beat_init, worker_ready, worker_shutdown

from webhook.log import get_logger, get_signal_logger

log = get_logger()
signal_log = get_signal_logger()


def log_process_events() -> None:
    """Log when this process starts and stops, and what Celery says about signals."""
    worker_ready.connect(_worker_started, weak=False)
    worker_shutdown.connect(_worker_stopped, weak=False)
    beat_init.connect(_beat_started, weak=False)
    # Celery writes "worker: Warm shutdown" and an empty line to the descriptor itself.
    celery_worker.safe_say = _say  # type: ignore[attr-defined]  # not in its hints


def _say(words: str, _stream: TextIO | None = None) -> None:
    # It runs in signal handlers.
    signal_log.info("worker.signalled", words=words)


def _worker_started(sender: Any, **_: object) -> None:
    queues = sorted(queue.name for queue in sender.app.amqp.queues.consume_from.values())
    log.info("worker.started", worker=sender.hostname, queues=queues)


def _worker_stopped(sender: Any, **_: object) -> None:
    log.info("worker.stopped", worker=sender.hostname)


def _beat_started(**_: object) -> None:
    # Registered first: a signal may come right after the line.
    atexit.register(lambda: log.info("beat.stopped"))
    log.info("beat.started")
