"""The queues that workers serve: each worker names its own in Celery's heartbeats, every 2 s.

Redis cannot list the clients that wait for a queue, and Celery's remote control is off.
"""

import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial

from celery import Celery
from celery.worker import WorkController
from celery.worker.state import SOFTWARE_INFO
from kombu import Consumer

FIELD = "queues"
# Seconds; a little more than the interval of a worker's heartbeats.
LISTEN = 2.5


def announce_queues(instance: WorkController, **_: object) -> None:
    """Add this worker's queues to its heartbeats; a handler of celeryd_after_setup."""
    # Celery sends all of SOFTWARE_INFO with each heartbeat. `falhook check` of an earlier version
    # looks for the earlier names, which are aliases.
    queues = instance.app.amqp.queues.consume_from.values()
    names = [name for queue in queues for name in (queue.name, queue.alias) if name]
    SOFTWARE_INFO[FIELD] = ",".join(names)


def queues_served(app: Celery, wanted: frozenset[str], *, seconds: float = LISTEN) -> set[str]:
    """Listen for at most `seconds`; return those of the `wanted` queues that a worker serves.

    Raises the broker's own errors.
    """
    served: set[str] = set()

    def receive(event: Mapping[str, object]) -> None:
        served.update(wanted.intersection(str(event.get(FIELD)).split(",")))

    handlers = {"worker-heartbeat": receive, "worker-online": receive}
    until = time.monotonic() + seconds
    with app.connection_for_read() as connection, connection.channel() as channel:
        receiver = app.events.Receiver(connection, handlers=handlers)
        [consumer] = receiver.get_consumers(partial(Consumer, channel), channel)
        with consumer, suppress(TimeoutError):
            while served != wanted and (left := until - time.monotonic()) > 0:
                connection.drain_events(timeout=left)
    return served
