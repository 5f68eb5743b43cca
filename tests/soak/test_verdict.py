"""The verdict of a soak: which counts are wrong."""

from collections.abc import Collection

import pytest

from tests.soak.verdict import Verdict
from worker.jobs.job import JobState

NONE = dict.fromkeys(JobState, 0)


def faults(*, posts: dict[str, int], expired: Collection[str] = (), **states: int) -> list[str]:
    """Return the names of the faults of a run of three jobs."""
    counted = {**NONE, **{JobState(name): number for name, number in states.items()}}
    verdict = Verdict(jobs=3, states=counted, posts=posts, expired=frozenset(expired), failures={})
    return [name for name, number in verdict.faults().items() if number]


def test_a_good_run_has_no_fault() -> None:
    """Each job ended, and was posted once."""
    assert [] == faults(PUBLISHED=2, FAILED=1, posts={"a": 1, "b": 1, "c": 1})


def test_a_job_that_fal_never_saw_may_expire() -> None:
    """Its worker was killed just before the POST."""
    assert [] == faults(PUBLISHED=2, EXPIRED=1, posts={"a": 1, "b": 1}, expired={"c"})


@pytest.mark.parametrize(
    ("name", "states", "posts", "expired"),
    [
        ("jobs still open or lost", {"PUBLISHED": 2, "SUBMITTED": 1}, {"a": 1, "b": 1, "c": 1}, ""),
        ("jobs posted twice", {"PUBLISHED": 3}, {"a": 1, "b": 2, "c": 1}, ""),
        ("jobs without a POST that did not expire", {"PUBLISHED": 3}, {"a": 1, "b": 1}, ""),
        (
            "paid jobs that expired",
            {"PUBLISHED": 1, "EXPIRED": 2},
            {"a": 1, "b": 1},
            "bc",
        ),
    ],
)
def test_what_is_wrong_is_named(
    name: str, states: dict[str, int], posts: dict[str, int], expired: str
) -> None:
    """An open job, a second POST, a paid job that expired, and a job that fal never saw."""
    assert name in faults(posts=posts, expired=set(expired), **states)
