"""The load: jobs, many with a mishap of fal's, and the states in which each may end."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from worker.jobs.job import JobState

S = JobState
PUBLISHED = frozenset({S.PUBLISHED})
FAILED = frozenset({S.FAILED})
# Without a request id and a callback, only the deadline can end the job.
NEVER_KNOWN = frozenset({S.EXPIRED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A mishap of fal's, its relative frequency, and the states in which its job may end."""

    mishap: str
    weight: int
    ends: frozenset[JobState] = PUBLISHED


SCENARIOS = (
    Scenario(mishap="", weight=40),
    # The submit.
    Scenario(mishap="answer-lost", weight=4),
    Scenario(mishap="status-503, accepted", weight=2),
    Scenario(mishap="status-409, accepted", weight=2),
    Scenario(mishap="connection-cut", weight=1, ends=NEVER_KNOWN),
    Scenario(mishap="status-502-nginx", weight=1, ends=NEVER_KNOWN),
    Scenario(mishap="status-429=1, times=2", weight=4),
    Scenario(mishap="status-422", weight=1, ends=FAILED),
    Scenario(mishap="callback-before-answer", weight=3),
    # The POST takes so long that workers are killed in the middle of it.
    Scenario(mishap="answer-slow=3", weight=5),
    # The callback is so late that nothing settles the job before its lease ends.
    Scenario(mishap="answer-slow=3, callback-late=700", weight=4),
    # The callback.
    Scenario(mishap="callback-twice", weight=4),
    Scenario(mishap="callback-many=50", weight=2),
    Scenario(mishap="callback-never", weight=2),
    Scenario(mishap="callback-late=1500", weight=1),
    Scenario(mishap="callback-stale", weight=3, ends=PUBLISHED | FAILED),
    Scenario(mishap="conflicting", weight=3, ends=PUBLISHED | FAILED),
    Scenario(mishap="out-of-order", weight=3),
    Scenario(mishap="payload-null", weight=3),
    Scenario(mishap="callback-never, result-404", weight=1, ends=frozenset({S.EXPIRED})),
    Scenario(mishap="wrong-key, times=1", weight=2),
    Scenario(mishap="stale-timestamp=600, times=1", weight=2),
    Scenario(mishap="bad-request-id, times=1", weight=2),
    Scenario(mishap="foreign-account, times=1", weight=2),
    Scenario(mishap="error-platform", weight=2, ends=FAILED),
    Scenario(mishap="error-policy", weight=1, ends=FAILED),
    Scenario(mishap="error-422", weight=1, ends=FAILED),
    # The file.
    Scenario(mishap="cdn-cut=1", weight=3),
    Scenario(mishap="cdn-500=1", weight=3),
    Scenario(mishap="cdn-no-length", weight=2),
    Scenario(mishap="file-truncated", weight=1, ends=FAILED),
)


def load(seed: int, jobs: int) -> Iterator[tuple[str, Scenario]]:
    """Yield job ids and their scenarios; a seed always gives the same ones."""
    rng = random.Random(seed)
    scenarios = rng.choices(SCENARIOS, [scenario.weight for scenario in SCENARIOS], k=jobs)
    for number, scenario in enumerate(scenarios):
        yield f"j{seed}-{number}", scenario


def prompt(job_id: str, scenario: Scenario) -> str:
    """Return a prompt with the mark from which the simulated fal reads the mishap."""
    mark = f" [[sim: {scenario.mishap}]]" if scenario.mishap else ""
    return f"A fox, {job_id}{mark}"


def described(scenarios: Mapping[str, Scenario]) -> str:
    """Return how many jobs there are, and how many have a mishap."""
    mishaps = sum(bool(scenario.mishap) for scenario in scenarios.values())
    return f"{len(scenarios)} jobs, {mishaps} of them with a mishap of fal's"
