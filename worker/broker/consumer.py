"""Celery's consumer, which no message can end."""

from collections.abc import Callable
from functools import partial
from typing import Any

from celery.worker.consumer import Consumer as CeleryConsumer
from kombu import Connection
from kombu.message import Message

from worker.broker.envelope import InvalidMessage
from worker.broker.messages import readable
from worker.broker.rejections import log_rejection

# Seconds between two tries to reach the broker. kombu's pauses grow to 30 s, so that a worker could
# sleep through the end of a failover.
LONGEST_PAUSE = 3


def _unnoted(*, broker: bool) -> None:
    """Note no turn of the loop."""


class Consumer(CeleryConsumer):
    """A consumer that rejects what is not a message for one of its tasks.

    `turned` is called in its loop every `every` seconds, and while it waits for the broker.
    """

    def __init__(
        self,
        *args: Any,
        turned: Callable[..., None] = _unnoted,
        every: float = 5.0,
        **options: Any,
    ) -> None:
        self._turned = turned
        self._every = every
        super().__init__(*args, **options)

    def register_with_event_loop(self, hub: Any) -> None:
        """Begin with the loop of an open connection, which ends with it."""
        super().register_with_event_loop(hub)
        hub.call_repeatedly(self._every, partial(self._turned, broker=True))
        self._turned(broker=True)

    def ensure_connected(self, conn: Connection) -> Connection:
        """Return the connection once it is open, tried every few seconds."""
        self._turned(broker=False)
        bounded = partial(self._open, conn.ensure_connection)
        conn.ensure_connection = bounded  # type: ignore[method-assign]  # Celery passes no pauses
        connected: Connection = super().ensure_connected(conn)
        self._declare_all_queues(connected)
        return connected

    def _open(
        self,
        ensure: Callable[..., Connection],
        *args: Any,
        callback: Callable[[], object] | None = None,
        **options: Any,
    ) -> Connection:
        def wait() -> None:
            self._turned(broker=False)
            if callback is not None:
                callback()

        return ensure(*args, callback=wait, **{**options, "interval_max": LONGEST_PAUSE})

    def _declare_all_queues(self, connection: Connection) -> None:
        # Celery binds the queues of the other workers too to RabbitMQ's delayed delivery, and gives
        # it up if one of their exchanges is missing: their workers may start after this one.
        if connection.transport.driver_type == "amqp":
            for queue in self.app.amqp.queues.values():
                queue(connection.default_channel).declare()

    def create_task_handler(self, *args: Any, **options: Any) -> Callable[[Message], None]:
        """Return the function that takes one message."""
        handle = super().create_task_handler(*args, **options)

        def receive(message: Message) -> None:
            try:
                readable(message, self.app)
                handle(message)
            except InvalidMessage as invalid:
                self._reject(message, invalid.reason)
            except KeyError as error:
                # kombu counts it as a connection error.
                self._reject(message, type(error).__name__)
            except self.connection_errors:  # type: ignore[attr-defined]
                raise
            except Exception as error:  # noqa: BLE001  # whatever Celery made of the message
                self._reject(message, type(error).__name__)

        return receive

    def on_decode_error(self, message: Message, exc: Exception) -> None:  # noqa: ARG002
        """Reject a message whose body cannot be read; Celery would log the body."""
        self._reject(message, "bad_body")

    def on_unknown_message(self, body: object, message: Message) -> None:  # noqa: ARG002
        """Reject a message that is not Celery's."""
        self._reject(message, "no_task")

    def on_unknown_task(self, body: object, message: Message, exc: Exception) -> None:  # noqa: ARG002
        """Reject a message for a task of another application."""
        self._reject(message, "unknown_task")

    def on_invalid_task(self, body: object, message: Message, exc: Exception) -> None:  # noqa: ARG002
        """Reject a message that a task cannot be called with."""
        self._reject(message, "bad_arguments")

    def _reject(self, message: Message, reason: str) -> None:
        queue = str(message.delivery_info.get("routing_key"))
        headers = message.headers
        size = len(message.body or "")
        log_rejection(queue, reason, size=size, task=headers.get("task"), message=headers.get("id"))
        if not message.acknowledged:
            message.reject()
