"""A step of the pipeline, as a row of its table, and the waits between its tries."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from webhook.contract import Task
from worker.jobs.job import Job, JobState

# Waits between tries double from the first to the longest, in seconds, plus up to a quarter.
FIRST_WAIT = 5.0
MAX_BACKOFF = 600.0
# Times that a step waits for an unavailable dependency; more than an hour in all.
MAX_WAITS = 14
# The longest Retry-After that is honoured, in seconds.
MAX_RETRY_AFTER = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One row of the pipeline's table."""

    task: Task
    # The state of a job that is ready for this step.
    takes: JobState
    # The states that the step's work leads to, besides FAILED.
    gives: tuple[JobState, ...]
    # Starts until the job fails; waits between them double, so 12 cover about an hour.
    tries: int = 12
    # Reason codes that blame a dependency and not the job. A start that ends with one of them
    # does not count as a try; the job fails after MAX_WAITS of them.
    waits_for: frozenset[str] = frozenset()
    # Reason codes for which the job waits as long as they hold: a person has to put them right. The
    # record shows them, and a job never fails for one of them.
    holds_for: frozenset[str] = frozenset()
    # The state of a job while the step works; None: `takes`, with a lease.
    works_in: JobState | None = None
    # Counters on the record that each start increments.
    counts: tuple[str, ...] = ("tries",)
    # States that the job may have been put into meanwhile and from which the outcome still counts.
    also_from: tuple[JobState, ...] = ()
    # Fields that are reset on the record when a start ends without an outcome.
    on_failure: Mapping[str, object] = field(default_factory=dict)

    @property
    def during(self) -> tuple[JobState, ...]:
        """The states from which this step's outcome counts, the one it works in first."""
        return (self.works_in or self.takes, *self.also_from)

    def guard(self, job: Job) -> Mapping[str, object]:
        """Return the fields that must be unchanged on the record for this start's outcome to count.

        A worker that lost its lease may finish while another runs the same step, and must not move
        or fail the job of that one. A POST is different: it cannot be undone, so its outcome
        counts for as long as the attempt is the same.
        """
        return {"attempt": job.attempt} if self.works_in else {"lease_owner": job.lease_owner}


def is_last_wait(job: Job) -> bool:
    """Return whether a job that has to wait once more for a dependency fails instead."""
    return job.waits + 1 >= MAX_WAITS


def backoff(tries: int, retry_after: float | None, rng: random.Random) -> float:
    """Return the seconds before the next try, after `tries` of them.

    `retry_after` is the wait that the peer requested.
    """
    seconds: float = min(FIRST_WAIT * 2.0 ** (tries - 1), MAX_BACKOFF)
    if retry_after is not None:
        seconds = min(retry_after, MAX_RETRY_AFTER)
    # Jitter only adds: no try comes earlier than requested.
    return seconds * rng.uniform(1.0, 1.25)
