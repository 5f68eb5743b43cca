"""What a step is: a row of the pipeline's table, and what its work may achieve."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from webhook.contract import Task
from worker.jobs.change import Outcome
from worker.jobs.job import Job, JobState

# Waits between tries double from the first to the longest, in seconds, plus up to a quarter.
FIRST_WAIT = 5.0
MAX_BACKOFF = 600.0
# Times that a step waits for what it needs; more than an hour in all.
MAX_WAITS = 14
# The longest Retry-After that is honoured.
MAX_RETRY_AFTER = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One row of the table."""

    task: Task
    takes: JobState
    work: Callable[[Job], Outcome]
    # Starts until the job fails; waits between them double, so 12 cover more than an hour.
    tries: int = 12
    # Reasons that tell of what the step needs and not of the job: these starts are no tries, and
    # the job fails after WAITS of them.
    waits_for: frozenset[str] = frozenset()
    # The state while the step works, where that is more than a lease on `takes`.
    works_in: JobState | None = None
    counts: tuple[str, ...] = ("tries",)
    # States that the job may have been put into meanwhile and from which the outcome still counts.
    also_from: tuple[JobState, ...] = ()
    # What a try that did not succeed puts back on the record.
    on_failure: Mapping[str, object] = field(default_factory=dict)
    # What a fault that nobody foresaw means for the job; None: try again.
    on_crash: Callable[[Job], Outcome] | None = None

    @property
    def during(self) -> tuple[JobState, ...]:
        """The states of a job from which this step's outcome counts, the one it works in first."""
        return (self.works_in or self.takes, *self.also_from)

    def guard(self, job: Job) -> Mapping[str, object]:
        """What must still stand on the record for an outcome of this start to count.

        A worker that lost its lease may end while another is at the same step, and must not move
        or fail the job under that one's hands. A POST is different: it cannot be taken back, so
        what became of it counts for as long as the attempt is the same.
        """
        return {"attempt": job.attempt} if self.works_in else {"lease_owner": job.lease_owner}


def backoff(tries: int, asked: float | None, rng: random.Random) -> float:
    """Seconds before the next try, after `tries` of them; `asked` is the peer's own wish."""
    seconds: float = min(FIRST_WAIT * 2.0 ** (tries - 1), MAX_BACKOFF)
    if asked is not None:
        seconds = min(asked, MAX_RETRY_AFTER)
    # Jitter only adds: nobody is to come earlier than asked.
    return seconds * rng.uniform(1.0, 1.25)
