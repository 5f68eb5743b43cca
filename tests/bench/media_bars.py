"""The limits of the media figures, and a table that shows whether they are met."""

from collections.abc import Iterator, Mapping

MOST = {
    "media.tag_per_copyfile": 3.0,
    "media.outputs_per_separate_runs": 0.65,
    "media.outputs_per_hand_written": 1.10,
    "media.worker_rss_1gb_per_5mb": 1.10,
}
LEAST = {
    "media.two_workers_per_one": 1.8,
    "media.two_workers_per_one_core": 1.8,
}


def table(figures: Mapping[str, float]) -> Iterator[str]:
    """Yield a line for each figure: name, value, limit, and whether it is met."""
    for name, value in figures.items():
        yield f"{name:44} {value:>10.3f}  {_judged(name, value)}".rstrip()


def _judged(name: str, value: float) -> str:
    if name in MOST:
        return f"at most {MOST[name]:.2f}: {'met' if value <= MOST[name] else 'MISSED'}"
    if name in LEAST:
        return f"at least {LEAST[name]:.2f}: {'met' if value >= LEAST[name] else 'MISSED'}"
    return ""
