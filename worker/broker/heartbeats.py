"""Which queues some worker takes from: each says so in Celery's own heartbeats, every 2 s.

Redis cannot tell who waits for a list, and remote control, which could be asked, is off.
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
# A little more than a worker's heartbeats are apart; seconds.
LISTEN = 2.5


def announce_queues(instance: WorkController, **_: object) -> None:
    """Afterwards the heartbeats of this worker name its queues; for celeryd_after_setup."""
    # Celery sends all of it with each heartbeat.
    SOFTWARE_INFO[FIELD] = ",".join(instance.app.amqp.queues.consume_from)


def queues_served(app: Celery, wanted: frozenset[str], *, seconds: float = LISTEN) -> set[str]:
    """Those of `wanted` that a worker takes from, heard within so many seconds; blocks for them.

    Raises the broker's own errors.
    """
    found: set[str] = set()

    def heard(event: Mapping[str, object]) -> None:
        found.update(wanted.intersection(str(event.get(FIELD)).split(",")))

    handlers = {"worker-heartbeat": heard, "worker-online": heard}
    until = time.monotonic() + seconds
    with app.connection_for_read() as connection, connection.channel() as channel:
        receiver = app.events.Receiver(connection, handlers=handlers)
        [consumer] = receiver.get_consumers(partial(Consumer, channel), channel)
        with consumer, suppress(TimeoutError):
            while found != wanted and (left := until - time.monotonic()) > 0:
                connection.drain_events(timeout=left)
    return found
