"""Whether a worker serves the queues in which watched jobs wait."""

import math
import threading
import time
from collections.abc import Callable, Collection
from functools import partial

from webhook.contract import Queue

# Seconds after which a worker under load has sent a heartbeat, and between two times of listening.
LISTEN, PAUSE = 10.0, 30.0

Listen = Callable[[frozenset[Queue]], Collection[str]]


def listen(queues: frozenset[Queue]) -> Collection[str]:
    """Return those of `queues` that a worker serves; it may take ten seconds if one lacks.

    Raises SettingsError, and the broker's own errors.
    """
    from webhook.settings.settings import Connections
    from worker.broker.client import client
    from worker.broker.heartbeats import queues_served

    return queues_served(client(Connections.from_env()), frozenset(queues), seconds=LISTEN)


def in_background(work: Callable[[], None]) -> None:
    """Run `work` in a thread that the end of the process does not wait for."""
    threading.Thread(target=work, daemon=True).start()


class Presence:
    """The workers, by the heartbeats to which it listens now and then in the background.

    That takes seconds, and imports Celery: whoever asks gets the last answer at once.
    """

    def __init__(
        self,
        listen: Listen = listen,
        *,
        start: Callable[[Callable[[], None]], None] = in_background,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._listen = listen
        self._start = start
        self._clock = clock
        self._next = 0.0  # infinite while it listens
        self._unserved: frozenset[Queue] = frozenset()

    def unserved(self, queues: frozenset[Queue]) -> frozenset[Queue]:
        """Return those of `queues` that no worker was heard to serve when it last listened.

        None before the first answer and while the broker does not answer: nothing is known then.
        """
        if queues and self._clock() >= self._next:
            self._next = math.inf
            self._start(partial(self._ask, queues))
        return self._unserved & queues

    def _ask(self, queues: frozenset[Queue]) -> None:
        try:
            served = self._listen(queues)
        except Exception:  # noqa: BLE001  # kombu raises its own; `falhook check` tells them
            self._unserved = frozenset()
        else:
            self._unserved = queues - set(served)
        self._next = self._clock() + PAUSE
