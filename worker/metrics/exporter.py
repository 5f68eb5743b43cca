"""The exporter: folds all shards every few seconds, and serves what it found.

Any number of exporters show the same. Figures that are old are never shown: without Redis there is
falhook_up 0, and nothing else of the system.
"""

import threading
import time
from collections.abc import Callable, Iterator
from itertools import chain
from typing import NamedTuple

from prometheus_client.core import Metric
from redis import Redis
from redis.exceptions import RedisError

from webhook.log import get_logger
from worker.metrics.families import families
from worker.metrics.fold import fold
from worker.metrics.manifest import Family
from worker.metrics.page import ProcessPage, as_text
from worker.metrics.tenants import largest_tenants

# Seconds between two folds, and those after which figures are too old to be shown.
EVERY = 5.0
FRESH = 15.0

log = get_logger()


class _Page(NamedTuple):
    """Metrics as text, and when they were read: Unix seconds, and seconds of a monotonic clock."""

    text: bytes
    at: float
    read: float


class Exporter:
    """The metrics of one Redis; `run` reads them until `stop`.

    So many of the largest `tenants` are shown. `monotonic` is seconds.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        tenants: int = 0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._tenants = tenants
        self._monotonic = monotonic
        self._page: _Page | None = None
        self._at: float | None = None
        self._stopped = threading.Event()
        self._own = ProcessPage(self._state)

    def run(self) -> None:
        """Fold every EVERY seconds until `stop`; a failure leaves no figures."""
        while not self._stopped.is_set():
            self.fold()
            self._stopped.wait(EVERY)

    def stop(self) -> None:
        """Have `run` return."""
        self._stopped.set()

    def fold(self) -> bool:
        """Read all figures; return whether they could be read."""
        began = self._monotonic()
        try:
            figures = fold(self._redis)
            tenants = list(largest_tenants(self._redis, at=figures.at, most=self._tenants))
            text = as_text(lambda: chain(families(figures), tenants))
        except RedisError as error:
            log.warning("metrics.unreadable", error=error)
            self._page = None
        except Exception:  # what one version cannot read must not end the process
            log.exception("metrics.crashed")
            self._page = None
        else:
            self._page, self._at = _Page(text, figures.at, began), figures.at
        return self._page is not None

    def text(self) -> bytes:
        """Return the page: figures if they are fresh, and whether they are."""
        page = self._page
        shown = page.text if page is not None and self._is_up() else b""
        return self._own.text() + shown

    def _is_up(self) -> bool:
        page = self._page
        return page is not None and self._monotonic() - page.read <= FRESH

    def _state(self) -> Iterator[Metric]:
        state = Family("falhook_up")
        state.add(self._is_up())
        yield state.metric
        if self._at is not None:
            read = Family("falhook_fold_timestamp_seconds")
            read.add(self._at)
            yield read.metric
