"""The receiver's metrics, each declared with its meaning.

Several processes of one receiver count in files of one directory (prometheus_client's multiprocess
mode), so that each can answer /metrics for all.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from webhook.capacity import Capacity
from webhook.process_metrics import ProcessMetrics
from webhook.responses import STATUS
from webhook.verification.jwks import KeySet

# Seconds after which the gauges of a process are true in the answers of the other processes.
UPDATE_EVERY = 1.0


class Metrics:
    """The receiver's metrics, in a registry of their own.

    `directory` has the counts of several processes; None if there is only this one.
    """

    def __init__(self, keys: KeySet, capacity: Capacity, directory: Path | None = None) -> None:
        self._registry = registry = CollectorRegistry()
        self._directory = directory
        callbacks = Counter(
            "falhook_callbacks", "Callbacks answered, by outcome.", ["outcome"], registry=registry
        )
        # Created once: a label look-up costs more than counting, and alerts need the zeros.
        self._callbacks = {outcome: callbacks.labels(outcome) for outcome in STATUS}
        self._seconds = Histogram(
            "falhook_callback_seconds",
            "Seconds from a callback's arrival to its answer.",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=registry,
        )
        self.batches = Histogram(
            "falhook_inbox_batch_size",
            "Callbacks that shared one write to the inbox.",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
            registry=registry,
        )
        wakes = Counter(
            "falhook_wakes",
            "Messages that wake the ingest task, by whether the broker accepted them.",
            ["sent"],
            registry=registry,
        )
        self._wakes = {True: wakes.labels("yes"), False: wakes.labels("no")}
        self._gauges = _gauges(registry, keys, capacity)
        self._process: ProcessMetrics | None = None
        if directory is None:
            ProcessCollector(registry=registry)
        else:
            self._process = ProcessMetrics(registry)
            self._update()

    def count_answer(self, outcome: str, seconds: float) -> None:
        """Count an answered callback; `seconds` is how long it took."""
        self._callbacks[outcome].inc()
        self._seconds.observe(seconds)

    def count_wake(self, sent: bool) -> None:
        """Count a wake; `sent` is whether the broker accepted it."""
        self._wakes[sent].inc()

    async def run(self, *, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        """Write the gauges for the other processes every UPDATE_EVERY seconds until cancelled."""
        while self._directory is not None:
            self._update()
            await sleep(UPDATE_EVERY)

    def render(self) -> bytes:
        """Return the text format (https://prometheus.io/docs/instrumenting/exposition_formats/)."""
        self._update()
        if self._directory is None:
            return generate_latest(self._registry)
        total = CollectorRegistry()
        MultiProcessCollector(total, path=str(self._directory))  # type: ignore[no-untyped-call]
        return generate_latest(total)

    def _update(self) -> None:
        for gauge, read in self._gauges:
            gauge.set(read())
        if self._process is not None:
            self._process.update()


def _gauges(
    registry: CollectorRegistry, keys: KeySet, capacity: Capacity
) -> list[tuple[Gauge, Callable[[], float]]]:
    """Return the gauges, each with its present value; of several processes, the worst or the sum.

    The mode is only used if several processes count.
    """
    count = Gauge(
        "falhook_keys",
        "Known public keys of fal.",
        registry=registry,
        multiprocess_mode="livemin",
    )
    age = Gauge(
        "falhook_keys_age_seconds",
        "Seconds since fal's keys were fetched.",
        registry=registry,
        multiprocess_mode="livemax",
    )
    requests = Gauge(
        "falhook_callbacks_under_way",
        "Callbacks not yet answered.",
        registry=registry,
        multiprocess_mode="livesum",
    )
    size = Gauge(
        "falhook_callbacks_bytes",
        "Bytes of callbacks not yet answered.",
        registry=registry,
        multiprocess_mode="livesum",
    )
    return [
        (count, lambda: keys.count),
        (age, lambda: keys.age),
        (requests, lambda: capacity.requests),
        (size, lambda: capacity.body_bytes),
    ]
