"""FALHOOK_RETENTION: periods for all final states or for some."""

import pytest

from worker.jobs.job import FINAL, JobState
from worker.retention.periods import FOR_EVER, RetentionPeriods

DAY = 86_400


@pytest.mark.parametrize(
    ("text", "published", "failed"),
    [
        ("30d", 30 * DAY, 30 * DAY),
        ("12h,FAILED=90d", DAY / 2, 90 * DAY),
        ("FAILED=90m", 30 * DAY, 5_400),
        ("off", FOR_EVER, FOR_EVER),
        (" PUBLISHED=1d , off ", DAY, FOR_EVER),
    ],
)
def test_periods(text: str, published: float, failed: float) -> None:
    """Every final state has a period; one that is not named has that of all, 30 days by default."""
    periods = RetentionPeriods.parse(text)
    assert set(FINAL) == set(periods.seconds)
    assert (published, failed) == (
        periods.seconds[JobState.PUBLISHED],
        periods.seconds[JobState.FAILED],
    )
    assert max(periods.seconds.values()) == periods.longest


@pytest.mark.parametrize("text", ["30", "0d", "1w", "-1d", "QUEUED=1d", "1d,2d", "FAILED=", "³d"])
def test_other_texts_are_refused(text: str) -> None:
    """The message names the part that cannot be read."""
    with pytest.raises(ValueError, match=r"has the period|names QUEUED|has two periods"):
        RetentionPeriods.parse(text)
