"""What the receiver counts; every metric is declared here with its meaning."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from webhook.keys import Keys


class Metrics:
    """The receiver's metrics, in a registry of their own."""

    def __init__(self, keys: Keys) -> None:
        self._registry = registry = CollectorRegistry()
        self.callbacks = Counter(
            "falhook_callbacks", "Callbacks answered, by outcome.", ["outcome"], registry=registry
        )
        self.seconds = Histogram(
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
        count = Gauge("falhook_keys", "Public keys of fal that are known.", registry=registry)
        count.set_function(lambda: keys.count)
        age = Gauge(
            "falhook_keys_age_seconds", "Seconds since fal's keys were fetched.", registry=registry
        )
        age.set_function(lambda: keys.age)

    def render(self) -> bytes:
        """The text exposition format (https://prometheus.io/docs/instrumenting/exposition_formats/)."""
        return generate_latest(self._registry)
