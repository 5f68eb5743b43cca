"""What the receiver counts; every metric is declared here with its meaning."""

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

    def __init__(self, keys: KeySet, room: Capacity) -> None:
        self._registry = registry = CollectorRegistry()
        callbacks = Counter(
            "falhook_callbacks", "Callbacks answered, by outcome.", ["outcome"], registry=registry
        )
        # Made once: looking a label up costs more than counting, and a zero can be alerted on.
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
            "Messages that wake the ingest task, by whether the broker took them.",
            ["sent"],
            registry=registry,
        )
        self._wakes = {True: wakes.labels("yes"), False: wakes.labels("no")}
        _gauges(registry, keys, room)
        ProcessCollector(registry=registry)

    def answered(self, outcome: str, seconds: float) -> None:
        """Count a callback's answer."""
        self._callbacks[outcome].inc()
        self._seconds.observe(seconds)

    def woke(self, sent: bool) -> None:
        """Count a wake that the broker took, or did not take."""
        self._wakes[sent].inc()

    def render(self) -> bytes:
        """The text exposition format (https://prometheus.io/docs/instrumenting/exposition_formats/)."""
        return generate_latest(self._registry)


def _gauges(registry: CollectorRegistry, keys: KeySet, room: Capacity) -> None:
    count = Gauge("falhook_keys", "Public keys of fal that are known.", registry=registry)
    count.set_function(lambda: keys.count)
    age = Gauge(
        "falhook_keys_age_seconds", "Seconds since fal's keys were fetched.", registry=registry
    )
    age.set_function(lambda: keys.age)
    requests = Gauge(
        "falhook_callbacks_under_way", "Callbacks not yet answered.", registry=registry
    )
    requests.set_function(lambda: room.requests)
    held = Gauge(
        "falhook_callbacks_bytes", "Bytes of callbacks not yet answered.", registry=registry
    )
    held.set_function(lambda: room.held)
