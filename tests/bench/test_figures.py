"""Figures of benchmarks: bars, and the file of all of them."""

import json
from pathlib import Path

from tests.bench.figures import Bars, report

BARS = Bars(most={"x.cost": 2.0}, least={"x.rate": 0.9})


def test_figures_of_other_benchmarks_stay(tmp_path: Path) -> None:
    """Only earlier figures of the same benchmark are replaced."""
    file = tmp_path / "bench.json"
    file.write_text(json.dumps({"x.old": 1, "y.old": 2}))
    assert 0 == report("x.", {"x.cost": 2.0, "x.rate": 0.9}, BARS, into=file)
    assert {"x.cost": 2.0, "x.rate": 0.9, "y.old": 2} == json.loads(file.read_text())


def test_a_missed_bar_is_an_exit_code(tmp_path: Path) -> None:
    """One figure above its greatest value, or below its least, is enough."""
    file = tmp_path / "bench.json"
    assert 1 == report("x.", {"x.cost": 2.1, "x.rate": 1.0}, BARS, into=file)
    assert 1 == report("x.", {"x.cost": 1.0, "x.rate": 0.8}, BARS, into=file)
