"""The numbers of jobs: of `GET /v1/stats` for one tenant, and of `falhook stats` for all."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal

from worker.jobs.days import ends, spending
from worker.jobs.explanation import waiting_for
from worker.jobs.job import FINAL, JobState
from worker.jobs.listing import count, read
from worker.jobs.oldest import oldest_jobs
from worker.jobs.store import JobStore

OPEN = tuple(state for state in JobState if state not in FINAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Oldest:
    """The job that is longest in its state: since when, and why it waits ("" if it does not)."""

    job: str
    since: float
    waits: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStats:
    """The jobs in Redis by state, what ended in 24 hours, and what was rendered today (UTC).

    `at` is when they were counted, in Unix seconds. `usd` is the sum of the known estimates.
    """

    jobs: Mapping[JobState, int]
    oldest: Mapping[JobState, Oldest]
    ended: Mapping[JobState, int]
    clips: int
    usd: Decimal
    at: float

    @property
    def open(self) -> int:
        """How many have not ended."""
        return sum(self.jobs[state] for state in OPEN)

    def as_data(self) -> Mapping[str, object]:
        """Return it as the API documents it: api/models/stats.py."""
        return {
            "jobs": self.jobs,
            "open": self.open,
            "oldest": {state: asdict(each) for state, each in self.oldest.items()},
            "ended": self.ended,
            "today": {"clips": self.clips, "usd": str(self.usd)},
            "at": self.at,
        }


def job_stats(store: JobStore, tenant: str | None) -> JobStats:
    """Return the numbers of the tenant's jobs, or of all, in a few round trips."""
    redis, now = store.redis, store.clock()
    ended = ends(redis, until=now, tenant=tenant)
    today = [each for each in spending(redis, until=now, days=1) if tenant in {None, each.tenant}]
    return JobStats(
        jobs=count(redis, list(JobState), tenant=tenant),
        oldest=dict(_oldest(store, tenant, now)),
        ended={state: sum(ended[state]) for state in JobState if state in FINAL},
        clips=sum(each.clips for each in today),
        usd=sum((each.usd for each in today), Decimal(0)),
        at=now,
    )


def _oldest(store: JobStore, tenant: str | None, now: float) -> Iterator[tuple[JobState, Oldest]]:
    places = oldest_jobs(store.redis, OPEN, tenant)
    jobs = {job.id: job for job in read(store.redis, [job_id for _, job_id in places.values()])}
    for state, (at, job_id) in places.items():
        if (job := jobs.get(job_id)) and job.state is state:  # it may have moved meanwhile
            yield state, Oldest(job=job_id, since=at, waits=waiting_for(job, now=now))
