"""The workers that run, as their heartbeats say, and the queues that they serve."""

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from api.console.rendering import Renderer
from api.console.visit import Page, Visit
from webhook.contract import Queue
from webhook.log import get_logger
from worker.broker.heartbeats import LISTEN, WorkerSeen
from worker.jobs.deployment import swept_at
from worker.jobs.store import JobStore
from worker.version import VERSION

# Seconds for which what was heard counts as now.
_FRESH = 5.0

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """The workers that were heard, and when, in Unix seconds; `fault` says why none could be."""

    workers: Collection[WorkerSeen] = ()
    at: float = 0.0
    fault: str = ""


class Listener:
    """Listens for heartbeats in a thread of its own while somebody looks."""

    def __init__(self, hear: Callable[[], Collection[WorkerSeen]]) -> None:
        self._hear = hear
        self._lock = threading.Lock()
        self._heard = Heard()
        self._done = threading.Event()
        self._done.set()

    def heard(self) -> Heard:
        """Return what was heard last, after a first time of LISTEN seconds; listen again."""
        with self._lock:
            if self._done.is_set() and time.time() - self._heard.at > _FRESH:
                self._done.clear()
                threading.Thread(target=self._listen, name="heartbeats", daemon=True).start()
        if not self._heard.at:
            self._done.wait(2 * LISTEN)
        return self._heard

    def _listen(self) -> None:
        try:
            self._heard = Heard(workers=self._hear(), at=time.time())
        except Exception as error:  # noqa: BLE001  # kombu raises each transport's own errors
            self._heard = Heard(at=time.time(), fault=type(error).__name__)
        finally:
            self._done.set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """The handler of the page; `waiting` counts the messages in a queue."""

    store: JobStore
    listener: Listener
    waiting: Callable[[Queue], int]
    renderer: Renderer

    def show(self, visit: Visit) -> Response:
        """Answer GET /console/workers."""
        heard = self.listener.heard()
        return self.renderer.page(
            visit,
            "workers.html",
            heard=heard,
            queues=self._queues(heard),
            swept=swept_at(self.store.redis),
            version=VERSION,
        )

    def _queues(self, heard: Heard) -> Mapping[Queue, tuple[int, int]]:
        """Return for each queue the messages that wait, and the workers that serve it."""
        return {
            queue: (
                self.waiting(queue),
                sum(queue in worker.queues for worker in heard.workers),
            )
            for queue in Queue
        }


def pages(workers: Workers) -> Sequence[Page]:
    """Return the page."""
    return (Page(method="GET", path="/console/workers", name="workers", handler=workers.show),)
