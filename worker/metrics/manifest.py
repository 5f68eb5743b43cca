"""The manifest of all metrics: what is not declared in manifest.toml cannot be shown."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from webhook.contract import Queue, Task
from worker.jobs.job import FINAL, JobState
from worker.metrics.times import Times

FILE = Path(__file__).with_name("manifest.toml")
# The value of a label that stands for any text.
ANY = "any"
_SETS: Mapping[str, Sequence[str]] = {
    "STATE": [*JobState],
    "OPEN": [state for state in JobState if state not in FINAL],
    "FINAL": [state for state in JobState if state in FINAL],
    "QUEUE": [*Queue],
    "TASK": [*Task],
}


class Undeclared(Exception):
    """A metric, a label or a value that the manifest does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A metric as the manifest declares it; `labels` has the values of each, None for any text."""

    name: str
    process: str
    type: str
    meaning: str
    unit: str = ""
    alert: Sequence[str] = ()
    labels: Mapping[str, frozenset[str] | None] = field(default_factory=dict)

    @property
    def series(self) -> str:
        """The name by which queries know it."""
        return f"{self.name}_total" if self.type == "counter" else self.name


@cache
def manifest() -> Mapping[str, Declared]:
    """Return all metrics by name, in the order of the file."""
    found: Mapping[str, dict[str, Any]] = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return {
        name: Declared(
            name=name,
            **{key: value for key, value in about.items() if key != "labels"},
            labels={label: _values(each) for label, each in about.get("labels", {}).items()},
        )
        for name, about in found.items()
    }


def _values(given: str | Sequence[str]) -> frozenset[str] | None:
    if given == ANY:
        return None
    return frozenset(value for each in given for value in _SETS.get(each, [each]))


class Family:
    """The samples of one metric of this process. Raises Undeclared for what is not declared."""

    def __init__(self, name: str) -> None:
        if name not in manifest():
            raise Undeclared(f"{name} is not in {FILE.name}: declare it there")
        self._declared = manifest()[name]

        self.metric = self._empty()

    def _empty(self) -> Metric:
        declared = self._declared
        kinds: Mapping[str, Any] = {
            "counter": CounterMetricFamily,
            "gauge": GaugeMetricFamily,
            "histogram": HistogramMetricFamily,
        }
        empty: Metric = kinds[declared.type](
            declared.name, f"{declared.meaning}.", labels=list(declared.labels)
        )
        return empty

    def add(self, value: float, **labels: str) -> None:
        """Add a sample of a counter or a gauge."""
        self.metric.add_metric(self._checked(labels), value)  # type: ignore[attr-defined]

    def add_times(self, times: Times, **labels: str) -> None:
        """Add a histogram."""
        bounds = [*(f"{bound:g}" for bound in times.bounds), "+Inf"]
        buckets = list(zip(bounds, accumulate(list(times.places)), strict=True))
        self.metric.add_metric(self._checked(labels), buckets, times.seconds)  # type: ignore[attr-defined]

    def _checked(self, labels: Mapping[str, str]) -> list[str]:
        declared = self._declared
        if labels.keys() != declared.labels.keys():
            raise Undeclared(f"{declared.name} has the labels {', '.join(declared.labels)}")
        for label, values in declared.labels.items():
            if values is not None and labels[label] not in values:
                raise Undeclared(f"{declared.name}: {labels[label]!r} is no value of {label}")
        return [labels[label] for label in declared.labels]
