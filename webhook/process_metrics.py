"""What one of several receiver processes uses, as metrics that can be added up."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector
from prometheus_client.metrics_core import Metric

_CPU = "process_cpu_seconds"
# The youngest start: a change of it shows a replacement.
_MODES = {"process_start_time_seconds": "livemax"}


class ProcessMetrics:
    """The metrics of prometheus_client's ProcessCollector for this process, updated on demand."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._collector = ProcessCollector(registry=None)
        found = self._collect()
        self._cpu = Counter(_CPU, "Processor seconds of all processes.", registry=registry)
        self._counted = 0.0
        self._gauges = {
            name: _gauge(metric, registry) for name, metric in found.items() if name != _CPU
        }

    def update(self) -> None:
        """Read what this process uses now."""
        found = self._collect()
        for name, gauge in self._gauges.items():
            if name in found:
                gauge.set(found[name].samples[0].value)
        if _CPU in found:
            used = found[_CPU].samples[0].value
            self._cpu.inc(max(0.0, used - self._counted))
            self._counted = used

    def _collect(self) -> Mapping[str, Metric]:
        return {metric.name: metric for metric in self._collector.collect()}


def _gauge(metric: Metric, registry: CollectorRegistry) -> Gauge:
    mode = _MODES.get(metric.name, "livesum")
    return Gauge(metric.name, metric.documentation, registry=registry, multiprocess_mode=mode)  # type: ignore[arg-type]
