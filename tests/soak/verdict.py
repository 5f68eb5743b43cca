"""The count at the end of a soak: jobs by state, and POSTs by job."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

from tests.factories.listed import jobs_of
from tests.faults.system import StormSystem
from worker.jobs.job import JobState
from worker.jobs.listing import count


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`posts` are those that reached fal, by job; `failures` are reasons of jobs that failed.

    A worker that is killed between the note that a POST follows and the POST itself leaves a job
    that fal never saw. Nobody can know that, so it is not posted again: it ends as EXPIRED.
    """

    jobs: int
    states: Mapping[JobState, int]
    posts: Mapping[str, int]
    expired: frozenset[str]
    failures: Mapping[str, int]

    @property
    def unposted(self) -> int:
        """How many jobs fal never saw."""
        return self.jobs - len(self.posts)

    def faults(self) -> Mapping[str, int]:
        """Return what must be 0, by name."""
        states = self.states
        ended = sum(
            states[state] for state in (JobState.PUBLISHED, JobState.FAILED, JobState.EXPIRED)
        )
        return {
            "jobs still open or lost": self.jobs - ended,
            "jobs posted twice": sum(posted > 1 for posted in self.posts.values()),
            "paid jobs that expired": len(self.expired & self.posts.keys()),
            "jobs without a POST that did not expire": self.unposted - len(self.expired),
        }


def judge(running: StormSystem, jobs: int) -> Verdict:
    """Compare the records with fal's counts."""
    store = running.records
    webhooks = cast(
        Mapping[str, Mapping[str, Mapping[str, int]]], running.fal("GET", "/_sim/counts")
    )["webhooks"]
    posts = {
        urlsplit(url).path.split("/")[3]: seen.get("submit_posts", 0)
        for url, seen in webhooks.items()
    }
    failed = jobs_of(store, state=JobState.FAILED)
    return Verdict(
        jobs=jobs,
        states=count(store.redis, JobState),
        posts=posts,
        expired=frozenset(job.id for job in jobs_of(store, state=JobState.EXPIRED)),
        failures=Counter(job.reason for job in failed),
    )
