"""Figures of a benchmark: their bars, a table of both, and the file that holds all of them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests import ROOT

RESULTS = ROOT / "bench.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """The greatest and the least values of some figures, by name."""

    most: Mapping[str, float] = field(default_factory=dict)
    least: Mapping[str, float] = field(default_factory=dict)

    def is_missed(self, name: str, value: float) -> bool:
        """Return whether the figure has a bar and does not reach it."""
        return value > self.most.get(name, value) or value < self.least.get(name, value)

    def table(self, figures: Mapping[str, float]) -> Iterator[str]:
        """Yield a line for each figure: name, value, bar, and whether it is reached."""
        for name, value in figures.items():
            yield f"{name:46} {value:>12,.3f}  {self._judged(name, value)}".rstrip()

    def _judged(self, name: str, value: float) -> str:
        verdict = "MISSED" if self.is_missed(name, value) else "reached"
        if name in self.most:
            return f"at most {self.most[name]:,.2f}: {verdict}"
        return f"at least {self.least[name]:,.2f}: {verdict}" if name in self.least else ""


def report(prefix: str, figures: Mapping[str, float], bars: Bars, *, into: Path = RESULTS) -> int:
    """Print the figures and merge them into the file; return 1 if a bar is missed, else 0.

    All names begin with `prefix`; earlier figures of that beginning are dropped.
    """
    stored = json.loads(into.read_text()) if into.is_file() else {}
    others = {name: value for name, value in stored.items() if not name.startswith(prefix)}
    merged = {**others, **{name: round(value, 3) for name, value in figures.items()}}
    into.write_text(json.dumps(merged, indent=2, sort_keys=True) + "\n")
    print("\n".join(bars.table(figures)), flush=True)  # noqa: T201
    return int(any(bars.is_missed(name, value) for name, value in figures.items()))
