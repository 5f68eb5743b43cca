"""Continues a group of failed jobs, as a run that can be stopped and survives a restart.

By default only jobs that cost nothing go on. A run that may pay has a limit in US dollars, which is
what a person was shown; each job is checked again when its turn comes.

Redis keys, which have one hash tag:

falhook:{redrive}:run:ID    hash: the fields of Run, kept for 30 days
falhook:{redrive}:open      set: ids of runs that go on
falhook:{redrive}:lease:ID  who works on a run now
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self, cast

from redis import Redis

from webhook.log import get_logger
from webhook.shards import SHARDS
from worker.jobs.failures import FailureGroup, first_members, members
from worker.jobs.job import Job, JobState
from worker.jobs.listing import read
from worker.operations.retry import ENDED, NotRetryable, Retry, resume_state

# Jobs that continue in a second at most, and those that are looked at together.
RATE, _TOGETHER = 200, 50
# Jobs of which a preview looks at the records.
LOOKED_AT = 2_000
_KEPT = 30 * 86_400
_LEASE = 15
_OPEN = "falhook:{redrive}:open"
_MICRO = 1_000_000

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a run would do: `free` jobs continue without a payment, `paying` are sent to fal.

    `usd` is what these should cost, `unpriced` are those of unknown cost, which no run sends;
    `stuck` can only be created anew. Of a very large group the latest jobs are looked at.
    """

    free: int = 0
    paying: int = 0
    unpriced: int = 0
    stuck: int = 0
    usd: Decimal = Decimal(0)
    looked_at: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run; times are Unix seconds, `most` and `paid` are millionths of a dollar.

    It stands in `shard` behind the jobs that failed at `after`; jobs that fail after `until` are
    not its own.
    """

    id: str
    tenant: str
    group: str
    title: str
    by: str
    note: str
    state: str
    began: float
    until: float
    jobs: int
    most: int = 0
    shard: int = 0
    after: float = 0.0
    continued: int = 0
    paying: int = 0
    skipped: int = 0
    paid: int = 0
    ended: float = 0.0

    @property
    def goes_on(self) -> bool:
        """Whether it has not ended."""
        return self.state == "running"

    @classmethod
    def decode(cls, record: Mapping[str, str]) -> Self:
        """Return the run of its record."""

        def number(name: str) -> int:
            return int(record.get(name, 0))

        return cls(
            id=record["id"],
            tenant=record["tenant"],
            group=record["group"],
            title=record["title"],
            by=record["by"],
            note=record["note"],
            state=record["state"],
            began=float(record["began"]),
            until=float(record["until"]),
            jobs=number("jobs"),
            most=number("most"),
            shard=number("shard"),
            after=float(record.get("after", 0)),
            continued=number("continued"),
            paying=number("paying"),
            skipped=number("skipped"),
            paid=number("paid"),
            ended=float(record.get("ended", 0)),
        )


class Redrives:
    """The runs of one Redis, and the work on them; safe to share between threads and processes."""

    def __init__(
        self, redis: Redis, retry: Retry, *, pause: Callable[[float], object] = time.sleep
    ) -> None:
        self._redis = redis
        self._retry = retry
        self._pause = pause
        self._clock = retry.store.clock

    def preview(self, group: FailureGroup) -> Preview:
        """Return what a run over the group would do now."""
        jobs = read(self._redis, first_members(self._redis, group.id, LOOKED_AT))
        free = paying = unpriced = stuck = 0
        usd = Decimal(0)
        for job in jobs:
            match self._way(job):
                case "free":
                    free += 1
                case "stuck":
                    stuck += 1
                case _ if price := _price(job):
                    paying += 1
                    usd += Decimal(price) / _MICRO
                case _:
                    unpriced += 1
        return Preview(
            free=free,
            paying=paying,
            unpriced=unpriced,
            stuck=stuck,
            usd=usd,
            looked_at=len(jobs),
        )

    def start(
        self, run_id: str, group: FailureGroup, *, by: str, note: str, most: Decimal = Decimal(0)
    ) -> None:
        """Begin a run, which pays `most` US dollars at most; the same id again is the same run."""
        key, now = _key(run_id), self._clock()
        if not self._redis.hsetnx(key, "id", run_id):
            return
        title = f"{group.reason} {group.endpoint}"
        record = {
            "tenant": group.tenant,
            "group": group.id,
            "title": title,
            "by": by,
            "note": note,
            "state": "running",
            "began": repr(now),
            "until": repr(now),
            "jobs": group.jobs,
            "most": int(most * _MICRO),
        }
        with self._redis.pipeline(transaction=True) as calls:
            calls.hset(key, mapping=cast(Any, record))
            calls.expire(key, _KEPT)
            calls.sadd(_OPEN, run_id)
            calls.execute()
        log.info("redrive.started", run=run_id, group=group.id, jobs=group.jobs)

    def get(self, run_id: str, tenant: str) -> Run | None:
        """Return the tenant's run; None if it has no run."""
        run = self._run(run_id)
        return run if run and run.tenant == tenant else None

    def going_on(self, tenant: str) -> Sequence[Run]:
        """Return the tenant's runs that have not ended, the oldest first."""
        ids = cast(set[str], self._redis.smembers(_OPEN))
        runs = (self.get(run_id, tenant) for run_id in ids)
        return sorted((run for run in runs if run), key=lambda run: run.began)

    def cancel(self, run: Run) -> None:
        """Stop the run after the jobs that are being looked at; what continued goes on."""
        self._end(run, "cancelled")

    def work(self) -> bool:
        """Work a little on each run that nobody else works on; return whether there was one."""
        worked = False
        for run_id in cast(set[str], self._redis.smembers(_OPEN)):
            lease = f"falhook:{{redrive}}:lease:{run_id}"
            if not self._redis.set(lease, "1", nx=True, ex=_LEASE):
                continue
            try:
                worked = self._advance(run_id) or worked
            finally:
                self._redis.delete(lease)
        return worked

    def _advance(self, run_id: str) -> bool:
        run = self._run(run_id)
        if run is None or not run.goes_on:
            self._redis.srem(_OPEN, run_id)
            return False
        began = time.monotonic()
        shard, after, found = self._next(run)
        if not found:
            self._end(run, "done")
            return True
        for job in read(self._redis, [job_id for job_id, _ in found]):
            self._redis.hincrby(_key(run.id), self._continue(job, run), 1)
        place = {"shard": shard, "after": repr(after)}
        self._redis.hset(_key(run.id), mapping=cast(Any, place))
        self._pause(max(0.0, len(found) / RATE - (time.monotonic() - began)))
        return True

    def _next(self, run: Run) -> tuple[int, float, Sequence[tuple[str, float]]]:
        """Return the place behind the next jobs, and these; none at the end of all shards."""
        after = run.after
        for shard in range(run.shard, SHARDS):
            found = members(
                self._redis, run.group, shard, after=after, until=run.until, limit=_TOGETHER
            )
            if found:
                return shard, found[-1][1], found
            after = 0.0
        return SHARDS, 0.0, []

    def _continue(self, job: Job, run: Run) -> str:
        """Let the job go on if the run may; return the name of what is counted."""
        way, about = self._way(job), {"by": run.by, "note": run.note, "run": run.id}
        if job.tenant != run.tenant or way == "stuck":
            return "skipped"
        try:
            if way == "free":
                self._retry.retry(job, about=about)
                return "continued"
            return self._pay(job, run, about)
        except NotRetryable:
            return "skipped"

    def _pay(self, job: Job, run: Run, about: Mapping[str, str]) -> str:
        price = _price(job)
        if not (run.most and price):
            return "skipped"
        # Counted before it is spent: a crash in between leaves the limit too low, not too high.
        paid = self._redis.hincrby(_key(run.id), "paid", price)
        counted = "skipped"
        if paid <= run.most:
            with suppress(NotRetryable):
                self._retry.resubmit(job, about=about)
                counted = "paying"
        if counted == "skipped":
            self._redis.hincrby(_key(run.id), "paid", -price)
        return counted

    def _way(self, job: Job) -> str:
        """Return how a job would continue: `free`, `paying` or `stuck`."""
        if job.state not in ENDED or job.refused:
            return "stuck"
        if resume_state(job) not in {None, JobState.QUEUED}:
            return "free"
        return "paying" if self._retry.posts(job, resubmit=True) else "stuck"

    def _run(self, run_id: str) -> Run | None:
        record = cast(dict[str, str], self._redis.hgetall(_key(run_id)))
        return Run.decode(record) if "state" in record else None

    def _end(self, run: Run, state: str) -> None:
        with self._redis.pipeline(transaction=True) as calls:
            calls.hset(_key(run.id), mapping={"state": state, "ended": repr(self._clock())})
            calls.srem(_OPEN, run.id)
            calls.execute()
        log.info("redrive.ended", run=run.id, state=state)


def _price(job: Job) -> int:
    """Return what the job should cost in millionths of a dollar; 0 if that is not known."""
    usd = job.estimate.get("usd")
    return 0 if usd is None or job.estimate.get("at_least") else int(Decimal(str(usd)) * _MICRO)


def _key(run_id: str) -> str:
    return f"falhook:{{redrive}}:run:{run_id}"
