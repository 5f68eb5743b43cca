"""A short storm over a small load; `make faults` runs the long ones."""

from pathlib import Path

import pytest
from rich.console import Console

from tests.faults.run import StormPlan, run
from tests.faults.table import show


@pytest.mark.timeout(150)
def test_a_short_storm(tmp_path: Path) -> None:
    """No job is lost, paid twice, published twice or left open while processes and Redis die."""
    plan = StormPlan(seed=20, jobs=60, storm=12.0, calm=1.5, deadline=15.0, patience=100.0)
    report = run(plan, tmp_path)
    show(report, Console(width=100))
    assert {name: [] for name in report.verdict.faults} == dict(report.verdict.faults)
    assert sum(report.struck.values()) >= 5
