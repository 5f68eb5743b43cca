"""The records of all jobs in Redis, and the one compare-and-set that changes them.

Redis keys:

falhook:job:{id}           hash: the fields of Job
falhook:job:{id}:events    stream: the whole history of the job
falhook:jobs               sorted set: job → created
falhook:jobs:{STATE}       sorted set: job → since when it is in that state
falhook:timers             sorted set: job → when it must have moved (no final job is in it)
falhook:events             stream: the events of all jobs, the last EVENTS_KEPT or so

The script builds key names itself, so a Redis Cluster would need hash tags; one primary does not.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from importlib import resources
from typing import cast

from redis import Redis

from webhook.contract import Task
from webhook.redis import RedisAddress, client
from worker.jobs.change import Change, Event
from worker.jobs.job import MOVES, Job, JobState, encode

EVENTS_KEPT = 100_000
JOBS = "falhook:jobs"
TIMERS = "falhook:timers"
EVENTS = "falhook:events"
# Fields of the record of a rejected creation, which was never claimed.
REFUSED = {"step": Task.CREATE, "attempt": 0, "posted": 0}


def connect(redis_url: str, *, decode_responses: bool = True) -> Redis:
    """Return a client that notices a half-open connection within seconds."""
    return client(
        RedisAddress.parse(redis_url),
        decode_responses=decode_responses,
        socket_timeout=5,
        socket_connect_timeout=2,
        health_check_interval=5,
    )


def job_key(job_id: str) -> str:
    """Return the key of the job's hash."""
    return f"falhook:job:{job_id}"


def history_key(job_id: str) -> str:
    """Return the key of the stream of the job's events."""
    return f"{job_key(job_id)}:events"


class JobStore:
    """The job records of one Redis, which must decode responses; safe to share between threads.

    `clock` is Unix seconds.
    """

    def __init__(self, redis: Redis, *, clock: Callable[[], float] = time.time) -> None:
        self.redis = redis
        self.clock = clock
        script = resources.files("worker.jobs").joinpath("transition.lua").read_text()
        self._move = redis.register_script(script)

    def add(self, job: Job, *, due: float, event: Event) -> bool:
        """Write the record of a new job; return False if its id has one, which stays unchanged.

        The record of a rejected creation does not count: the new job replaces it.
        """
        values = {
            "id": job.id,
            "endpoint": job.endpoint,
            "arguments": job.arguments,
            "metadata": job.metadata,
            "event_metadata": job.event_metadata,
            "options": job.options,
            "estimate": job.estimate,
            "needs_file": job.needs_file,
            "step": job.step,
            "reason": job.reason,
            "sentence": job.sentence,
            # Guards compare with fields of the hash: these are always present.
            "attempt": job.attempt,
            "posted": job.posted,
            "submitted_at": job.submitted_at,
            "looked_up": 0,
            "callback": "",
            "created_at": self.clock(),
        }
        change = Change(to=job.state, set=values, due=due, event=event)
        over = replace(change, guard=REFUSED)
        return self._change(job.id, None, change) or self._change(job.id, [JobState.FAILED], over)

    def change(self, job_id: str, expected: Iterable[JobState], change: Change) -> bool:
        """Change the record if it is in one of the `expected` states and every guard matches.

        Expected states from which MOVES does not lead to `change.to` are ignored. Return whether
        the record was changed; after a lost answer it may have been changed all the same.
        """
        allowed = [state.value for state in expected if _allowed(state, change.to)]
        return self._change(job_id, allowed, change)

    def _change(self, job_id: str, expected: Sequence[str] | None, change: Change) -> bool:
        now = self.clock()
        request = {
            "id": job_id,
            "at": f"{now:.6f}",
            "expected": expected,
            "to": change.to,
            "set": encode(change.set or {}) or None,
            "guard": {name: str(value) for name, value in (change.guard or {}).items()} or None,
            "bump": list(change.bump) or None,
            "due": None if change.due is None else f"{change.due:.6f}" if change.due else "",
            "unleased_at": None if change.unleased_at is None else f"{change.unleased_at:.6f}",
            "event": dict(change.event) if change.event else None,
            "keep": EVENTS_KEPT,
        }
        arguments = {name: value for name, value in request.items() if value is not None}
        keys = [job_key(job_id), history_key(job_id), EVENTS, TIMERS, JOBS]
        done, _state = cast(tuple[int, str], self._move(keys=keys, args=[json.dumps(arguments)]))
        return bool(done)

    def get(self, job_id: str) -> Job | None:
        """Return the job, or None if it has no record."""
        record = cast(dict[str, str], self.redis.hgetall(job_key(job_id)))
        return Job.decode(record) if record else None

    def newest(
        self, *, state: JobState | None = None, since: float = 0.0, limit: int = -1
    ) -> Iterator[Job]:
        """Yield the newest `limit` jobs: of all, or those that entered `state` since then."""
        ids = self.newest_ids(state=state, since=since, limit=limit)
        return (job for job_id in ids if (job := self.get(job_id)) is not None)

    def newest_ids(
        self, *, state: JobState | None = None, since: float = 0.0, limit: int = -1
    ) -> Sequence[str]:
        """Return the ids of the jobs that `newest` yields."""
        key = f"{JOBS}:{state}" if state else JOBS
        return cast(list[str], self.redis.zrevrangebyscore(key, "+inf", since, start=0, num=limit))

    def list(self, *, state: JobState | None = None, limit: int = 50) -> Sequence[Job]:
        """Return jobs of one state or of all, the newest first."""
        return tuple(self.newest(state=state, limit=limit))

    def count(self, state: JobState) -> int:
        """Return how many jobs are in this state."""
        return self.redis.zcard(f"{JOBS}:{state}")

    def due(self, limit: int) -> Sequence[str]:
        """Return the ids of jobs that should have moved by now, the most overdue first."""
        due = self.redis.zrangebyscore(TIMERS, 0, self.clock(), start=0, num=limit)
        return cast(list[str], due)

    def due_at(self, job_id: str) -> float | None:
        """Return the deadline of the next change of state in Unix seconds; None for ended jobs."""
        return self.redis.zscore(TIMERS, job_id)

    def drop_timer(self, job_id: str) -> None:
        """Remove the timer of a job that has no record."""
        self.redis.zrem(TIMERS, job_id)

    def delay_timer(self, job_id: str, seconds: float) -> None:
        """Postpone the timer of a job whose record cannot be read, so that others are reached."""
        self.redis.zadd(TIMERS, {job_id: self.clock() + seconds}, xx=True)


def _allowed(state: JobState, to: JobState | None) -> bool:
    return to is None or to is state or to in MOVES[state]
