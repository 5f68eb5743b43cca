"""The workers that run: each names its queues in Celery's heartbeats, every 2 s.

Redis cannot list the clients that wait for a queue, and Celery's remote control is off.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from celery import Celery
from celery.utils.time import utcoffset
from celery.worker import WorkController
from celery.worker.state import SOFTWARE_INFO
from kombu import Consumer

from worker import version

FIELD = "queues"
FINGERPRINT = "secret"
VERSION = "falhook"
# Seconds; a little more than the interval of a worker's heartbeats.
LISTEN = 2.5


def announce_queues(instance: WorkController, **_: object) -> None:
    """Add this worker's queues to its heartbeats; a handler of celeryd_after_setup."""
    # Celery sends all of SOFTWARE_INFO with each heartbeat. `falhook check` of an earlier version
    # looks for the earlier names, which are aliases; so are falhook's own names on RabbitMQ.
    queues: Any = instance.app.amqp.queues
    taken = list(queues.consume_from.values())
    names = [queue.name for queue in taken]
    names += [alias for alias, queue in queues.aliases.items() if queue in taken]
    SOFTWARE_INFO[FIELD] = ",".join(names)
    SOFTWARE_INFO[VERSION] = version.VERSION


def announce_secret(fingerprint: str) -> None:
    """Add the fingerprint of the secret that signs callback addresses to the heartbeats."""
    SOFTWARE_INFO[FINGERPRINT] = fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSeen:
    """A worker process by its last heartbeat; its clock is `ahead` of ours by so many seconds.

    `version` is that of falhook; "" for a worker that does not say.
    """

    name: str
    pid: int
    queues: frozenset[str]
    secret: str
    ahead: float
    version: str = ""

    @classmethod
    def read(cls, event: Mapping[str, object]) -> Self:
        """Return the worker of a heartbeat that has just arrived."""
        # Celery moves the time by the difference of the time zones, though it is in UTC.
        zones = float(str(event.get("utcoffset", 0))) - utcoffset()
        sent = float(str(event["timestamp"])) + zones * 3600
        return cls(
            name=str(event.get("hostname")),
            pid=int(str(event.get("pid", 0))),
            queues=frozenset(str(event.get(FIELD, "")).split(",")),
            secret=str(event.get(FINGERPRINT, "")),
            ahead=sent - time.time(),
            version=str(event.get(VERSION, "")),
        )


def queues_served(app: Celery, wanted: frozenset[str], *, seconds: float = LISTEN) -> set[str]:
    """Listen for at most `seconds`; return those of the `wanted` queues that a worker serves.

    Raises the broker's own errors.
    """
    seen = workers_seen(app, seconds=seconds, enough=lambda found: wanted <= _queues(found))
    return set(wanted & _queues(seen))


def workers_seen(
    app: Celery,
    *,
    seconds: float = LISTEN,
    enough: Callable[[Collection[WorkerSeen]], bool] = lambda _seen: False,
) -> Collection[WorkerSeen]:
    """Listen for `seconds`, or until there are `enough`; return the workers that were heard.

    Raises the broker's own errors.
    """
    seen: dict[tuple[str, int], WorkerSeen] = {}

    def receive(event: Mapping[str, object]) -> None:
        worker = WorkerSeen.read(event)
        seen[worker.name, worker.pid] = worker

    handlers = {"worker-heartbeat": receive, "worker-online": receive}
    until = time.monotonic() + seconds
    with app.connection_for_read() as connection, connection.channel() as channel:
        receiver = app.events.Receiver(connection, handlers=handlers)
        [consumer] = receiver.get_consumers(partial(Consumer, channel), channel)
        with consumer, suppress(TimeoutError):
            while not enough(seen.values()) and (left := until - time.monotonic()) > 0:
                connection.drain_events(timeout=left)
    return sorted(seen.values(), key=lambda worker: (worker.name, worker.pid))


def _queues(workers: Iterable[WorkerSeen]) -> frozenset[str]:
    return frozenset(queue for worker in workers for queue in worker.queues)
