"""A few failovers under load; `python -m tests.faults.failovers` runs many."""

from pathlib import Path

import pytest

from tests.factories.rabbitmq import MISSING, PROGRAM
from tests.faults.failovers import run


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["sentinels", pytest.param("cluster", marks=pytest.mark.faults)])
def test_failovers_cost_nothing(tmp_path: Path, kind: str) -> None:
    """A primary is killed, another frozen: no job is paid twice, none is lost, and jobs go on.

    The frozen one resumes when its clients must long have left it.
    """
    outcome = run(tmp_path, kind=kind, kills=1, stops=1, frozen=[25.0], say=print)
    assert ([], [], []) == (outcome.paid_twice, outcome.lost, outcome.undone)
    assert (1, 1) == (len(outcome.killed), len(outcome.frozen))
    # Not by waiting for it. `python -m tests.faults.failovers` measures how long it takes.
    assert outcome.longest < 25


@pytest.mark.faults
@pytest.mark.timeout(300)
@pytest.mark.skipif(not PROGRAM.exists(), reason=MISSING)
def test_rabbitmq_is_killed(tmp_path: Path) -> None:
    """A job is neither paid twice nor lost, and workers and receiver find it again."""
    outcome = run(tmp_path, kind="rabbitmq", kills=2, stops=0, say=print)
    assert ([], [], []) == (outcome.paid_twice, outcome.lost, outcome.undone)
    assert 2 == len(outcome.killed)
