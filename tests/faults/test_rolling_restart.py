"""A deploy under load, on a small scale; `python -m tests.faults.rolling_restart` is long."""

from pathlib import Path

import pytest

from tests.faults.rolling_restart import run


@pytest.mark.faults
@pytest.mark.timeout(1200)
def test_a_deploy_loses_nothing(tmp_path: Path) -> None:
    """Every process is restarted: no creation fails, no job is paid twice or lost."""
    report = run(60, tmp_path)
    assert dict.fromkeys(report.faults(), 0) == dict(report.faults())
