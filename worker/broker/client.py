"""Celery messages to our own queues: they wake, they carry no fact."""

from collections.abc import Callable

from celery import Celery

from webhook.contract import ROUTES, Task, celery_app
from webhook.log import get_logger
from webhook.settings import Connections
from worker.broker import redis_transport

log = get_logger()

# Longer than any step may take, in seconds: a message that comes again while its task still runs
# would only find the job leased, but would be taken from the queue for nothing. Checked when a
# worker starts: worker/broker/time_limits.py.
VISIBILITY_TIMEOUT = 3 * 3600

TRANSPORT: dict[str, object] = {
    "visibility_timeout": VISIBILITY_TIMEOUT,
    # Measured: without these two a worker never notices a half-open connection; with them in 12 s.
    "socket_timeout": 5,
    "health_check_interval": 5,
    # A Redis whose machine is gone answers nothing at all: say so soon, and try again.
    "socket_connect_timeout": 2,
    # For connections that idle for hours through firewalls that forget them.
    "socket_keepalive": True,
}


def client(connections: Connections) -> Celery:
    """A Celery application that can send falhook's tasks."""
    redis_transport.install()
    app = celery_app(connections.broker_url, transport_options=TRANSPORT)
    # A wake is not worth waiting for: the sweep makes up for one that could not be sent.
    app.conf.task_publish_retry_policy = {
        "max_retries": 2,
        "interval_start": 0.1,
        "interval_max": 1.0,
    }
    return app


def waker(app: Celery) -> Callable[[Task, str], None]:
    """Sends the message of a task for one job; a failure is left to the sweep."""
    return lambda task, job_id: send(app, task, job_id)


def send(app: Celery, task: Task, argument: object) -> None:
    try:
        app.send_task(task, args=[argument], queue=ROUTES[task])
    except Exception as error:  # noqa: BLE001  # kombu raises each transport's own errors
        log.warning("wake.failed", step=task, error=type(error).__name__)
