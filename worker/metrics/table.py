"""The manifest as a table of docs/metrics.md."""

from collections.abc import Iterator

from worker.metrics.manifest import Declared, manifest

_HEADINGS = {
    "metrics": "`metrics`",
    "web": "`web`",
    "api": "`api`",
    "workers": "`submit`, `callbacks`, `media`, `publish` and `notify`",
}


def markdown() -> str:
    """Return a table of all metrics for each process."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    for process, heading in _HEADINGS.items():
        yield f"### Of {heading}\n"
        yield "| metric | type | labels | meaning | alerts |"
        yield "|---|---|---|---|---|"
        for metric in manifest().values():
            if process in metric.process.split(", "):
                yield _row(metric)
        yield ""


def _row(metric: Declared) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    cells = (f"`{metric.series}`", metric.type, labels, metric.meaning, ", ".join(metric.alert))
    return f"| {' | '.join(cells)} |"
