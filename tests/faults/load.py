"""The load: jobs of which many ask the simulated fal for a mishap, and how each may end."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from worker.jobs.job import JobState

S = JobState
PUBLISHED = frozenset({S.PUBLISHED})
FAILED = frozenset({S.FAILED})
# Where no request id and no callback ever come, nobody can tell: the deadline ends the job.
NEVER_KNOWN = frozenset({S.EXPIRED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a job asks for: its mishap, how often among all, and the ends that are right."""

    mishap: str
    weight: int
    ends: frozenset[JobState] = PUBLISHED


WISHES = (
    Wish(mishap="", weight=40),
    # The submit.
    Wish(mishap="answer-lost", weight=4),
    Wish(mishap="status-503, accepted", weight=2),
    Wish(mishap="status-409, accepted", weight=2),
    Wish(mishap="connection-cut", weight=1, ends=NEVER_KNOWN),
    Wish(mishap="status-502-nginx", weight=1, ends=NEVER_KNOWN),
    Wish(mishap="status-429=1, times=2", weight=4),
    Wish(mishap="status-422", weight=1, ends=FAILED),
    Wish(mishap="callback-before-answer", weight=3),
    # Its POST takes so long that workers are killed in the middle of it.
    Wish(mishap="answer-slow=3", weight=5),
    # And its callback so late that nothing settles the job before its lease ends.
    Wish(mishap="answer-slow=3, callback-late=700", weight=4),
    # The callback.
    Wish(mishap="callback-twice", weight=4),
    Wish(mishap="callback-many=50", weight=2),
    Wish(mishap="callback-never", weight=2),
    Wish(mishap="callback-late=1500", weight=1),
    Wish(mishap="callback-stale", weight=3, ends=PUBLISHED | FAILED),
    Wish(mishap="conflicting", weight=3, ends=PUBLISHED | FAILED),
    Wish(mishap="out-of-order", weight=3),
    Wish(mishap="payload-null", weight=3),
    Wish(mishap="callback-never, result-404", weight=1, ends=frozenset({S.EXPIRED})),
    Wish(mishap="wrong-key, times=1", weight=2),
    Wish(mishap="stale-timestamp=600, times=1", weight=2),
    Wish(mishap="bad-request-id, times=1", weight=2),
    Wish(mishap="foreign-account, times=1", weight=2),
    Wish(mishap="error-platform", weight=2, ends=FAILED),
    Wish(mishap="error-policy", weight=1, ends=FAILED),
    Wish(mishap="error-422", weight=1, ends=FAILED),
    # The file.
    Wish(mishap="cdn-cut=1", weight=3),
    Wish(mishap="cdn-500=1", weight=3),
    Wish(mishap="cdn-no-length", weight=2),
    Wish(mishap="file-truncated", weight=1, ends=FAILED),
)


def load(seed: int, jobs: int) -> Iterator[tuple[str, Wish]]:
    """Job ids and what each asks for; the same for the same seed."""
    rng = random.Random(seed)
    wishes = rng.choices(WISHES, [wish.weight for wish in WISHES], k=jobs)
    for number, wish in enumerate(wishes):
        yield f"j{seed}-{number}", wish


def prompt(job_id: str, wish: Wish) -> str:
    """The prompt that asks for it; the simulated fal reads the mark."""
    mark = f" [[sim: {wish.mishap}]]" if wish.mishap else ""
    return f"A fox, {job_id}{mark}"


def described(wishes: Mapping[str, Wish]) -> str:
    """How many jobs ask for anything."""
    mishaps = sum(bool(wish.mishap) for wish in wishes.values())
    return f"{len(wishes)} jobs, {mishaps} of them with a mishap of fal's own"
