"""The receiver's metrics, each declared with its meaning."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from webhook.capacity import Capacity
from webhook.responses import STATUS
from webhook.verification.jwks import KeySet


class Metrics:
    """The receiver's metrics, in a registry of their own."""

    def __init__(self, keys: KeySet, capacity: Capacity) -> None:
        self._registry = registry = CollectorRegistry()
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
        _gauges(registry, keys, capacity)
        ProcessCollector(registry=registry)

    def count_answer(self, outcome: str, seconds: float) -> None:
        """Count an answered callback; `seconds` is how long it took."""
        self._callbacks[outcome].inc()
        self._seconds.observe(seconds)

    def count_wake(self, sent: bool) -> None:
        """Count a wake; `sent` is whether the broker accepted it."""
        self._wakes[sent].inc()

    def render(self) -> bytes:
        """Return the text format (https://prometheus.io/docs/instrumenting/exposition_formats/)."""
        return generate_latest(self._registry)


def _gauges(registry: CollectorRegistry, keys: KeySet, capacity: Capacity) -> None:
    count = Gauge("falhook_keys", "Known public keys of fal.", registry=registry)
    count.set_function(lambda: keys.count)
    age = Gauge(
        "falhook_keys_age_seconds", "Seconds since fal's keys were fetched.", registry=registry
    )
    age.set_function(lambda: keys.age)
    requests = Gauge(
        "falhook_callbacks_under_way", "Callbacks not yet answered.", registry=registry
    )
    requests.set_function(lambda: capacity.requests)
    size = Gauge(
        "falhook_callbacks_bytes", "Bytes of callbacks not yet answered.", registry=registry
    )
    size.set_function(lambda: capacity.body_bytes)
