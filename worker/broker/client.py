"""Celery messages to falhook's queues: they wake a worker, the facts are in the records."""

from collections.abc import Callable

from celery import Celery

from webhook.contract import Task, celery_app
from webhook.log import get_logger
from webhook.settings.settings import Connections
from webhook.task_sender import TaskSender
from worker.broker import redis_transport

log = get_logger()

TRANSPORT: dict[str, object] = {
    # Seconds after which a message comes again that its worker no longer renews, because it was
    # killed (redis_transport.py). Workers renew every `interval` s and look for such messages every
    # `throttle` times; one whose Redis is away for longer may find its message taken by another.
    "visibility_timeout": 120,
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 3,
    # Without these two a worker never notices a connection whose peer is frozen or gone. With them
    # its BRPOP, which Redis answers every second, is given up after 4 to 7 s.
    "socket_timeout": 3,
    "health_check_interval": 3,
    # If the machine of Redis is down, nothing answers: fail soon, and try again.
    "socket_connect_timeout": 2,
    # For firewalls that drop connections which are idle for hours.
    "socket_keepalive": True,
}


def client(connections: Connections) -> Celery:
    """Return a Celery application that can send falhook's tasks."""
    app = celery_app(connections.broker_url, redis=TRANSPORT, scheme=redis_transport.SCHEME)
    app.conf.worker_consumer = "worker.broker.consumer:Consumer"
    # A wake is not worth waiting for: the sweep wakes the jobs of those that could not be sent.
    app.conf.task_publish_retry_policy = {
        "max_retries": 2,
        "interval_start": 0.1,
        "interval_max": 1.0,
    }
    return app


def waker(app: Celery) -> Callable[[Task, object], None]:
    """Return a function that sends the message of a task; any thread may call it.

    A failure is logged and left to the sweep.
    """
    send = TaskSender(app)

    def wake(task: Task, argument: object) -> None:
        try:
            send(task, argument)
        except Exception as error:  # noqa: BLE001  # kombu raises each transport's own errors
            log.warning("wake.failed", step=task, error=error)

    return wake
