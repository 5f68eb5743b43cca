"""How many messages wait in a queue."""

from collections.abc import Callable
from typing import Any

from amqp.exceptions import NotFound
from celery import Celery
from kombu.exceptions import ChannelError

from webhook.contract import Queue
from webhook.log import get_logger

log = get_logger()


def queue_lengths(app: Celery) -> Callable[[Queue], int]:
    """Return a function that counts the messages waiting in a queue, for any broker.

    It returns 0, and logs why, if the broker does not answer.
    """

    def length(queue: Queue) -> int:
        try:
            with app.connection_for_read() as connection, connection.channel() as channel:
                name = app.amqp.queues[queue].name
                declared: Any = channel
                return int(declared.queue_declare(queue=name, passive=True).message_count)
        except (ChannelError, NotFound):  # Redis keeps no empty list
            return 0
        except Exception as error:  # noqa: BLE001  # kombu raises each transport's own errors
            log.warning("queue.uncounted", queue=queue, error=error)
            return 0

    return length
