"""The page of a process that Prometheus scrapes."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Collect = Callable[[], Iterator[Metric]]


class _Collected(Collector):
    def __init__(self, collect: Collect) -> None:
        self._collect = collect

    def collect(self) -> Iterator[Metric]:
        return self._collect()


def as_text(collect: Collect) -> bytes:
    """Return the text format (https://prometheus.io/docs/instrumenting/exposition_formats/)."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(collect))
    return generate_latest(registry)


class ProcessPage:
    """The page of this process: what it uses, and what `collect` yields at the moment."""

    def __init__(self, collect: Collect) -> None:
        self._collect = collect
        self._used = CollectorRegistry()
        ProcessCollector(registry=self._used)

    def text(self) -> bytes:
        """Return the page. Raises Undeclared for what the manifest does not have."""
        return as_text(self._collect) + generate_latest(self._used)
