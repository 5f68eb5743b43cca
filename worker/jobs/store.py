"""The records of all jobs in Redis, and the one compare-and-set that changes them.

Redis keys, of the shard of the job (webhook/shards.py):

falhook:{2a}:job:ID      hash: the fields of Job, among them the history
falhook:{2a}:jobs        sorted set: job → created
falhook:{2a}:jobs:STATE  sorted set: job → since when it is in that state
falhook:{2a}:jobs:t:TENANT and falhook:{2a}:jobs:t:TENANT:STATE
                         the same for the jobs of one tenant, except the default one
falhook:{2a}:named       hash: state → jobs of all tenants except the default one
falhook:{2a}:timers      sorted set: job → when it must have moved (no final job is in it)
falhook:{2a}:events      stream: the events of all jobs of the shard, the last EVENTS_KEPT or so
falhook:{2a}:bell        channel: a job of the shard has moved
falhook:{2a}:failed …    groups of failures: worker/jobs/failures.py
falhook:{2a}:day:DAY     what happened on a day: worker/jobs/days.py
falhook:{2a}:owed        sorted set: event that receivers are owed → when it happened
falhook:{2a}:m           hash: what jobs did since the beginning: worker/jobs/counts.py
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from redis import Redis

from webhook.contract import inbox_key
from webhook.redis.address import RedisAddress
from webhook.redis.clients import client
from webhook.redis.confirmation import ConfirmedScripts
from webhook.redis.replicas import Argument, Unconfirmed
from webhook.redis.round_trip import as_record, ask
from webhook.shards import SHARDS, all_keys, key_of
from worker.errors import Transient
from worker.jobs.change import Change, Event
from worker.jobs.creation import creations
from worker.jobs.days import COUNTED, day_of, hour_of
from worker.jobs.earlier_layout import EarlierLayout
from worker.jobs.failures import GROUPED, message_of
from worker.jobs.job import MOVES, Job, JobState, encode

# Events kept for each shard, more than 100,000 in all.
EVENTS_KEPT = 1_600
# Bytes of the history of one job; beyond them its first events are forgotten.
HISTORY_KEPT = 32_000
# When the first record was moved to storage, in Unix seconds: worker/retention/archive.py.
ARCHIVING = "falhook:archived"
# A wake that was lost is found by the sweep after this many seconds.
LOST_WAKE_AFTER = 20.0
# Names of the keys of a shard.
JOBS = "jobs"
NAMED = "named"
TIMERS = "timers"
EVENTS = "events"
BELL = "bell"
OWED = "owed"
# The reason of jobs that wait until the replicas of Redis confirm what precedes a POST.
REPLICA_BEHIND = "replica_behind"
# Writes what the record and the disk have, for the replicas: only a write is confirmed.
_REWRITE = """
redis.set_repl(redis.REPL_REPLICA)
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'id', ARGV[1]) end
return 1
"""


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
    return key_of(job_id, f"job:{job_id}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What Redis has under the id of a job that may be new."""

    job: Job | None
    # Whether records have been moved to storage, so that it may have the job.
    archiving: bool
    # Whether there are callbacks that are not ingested, perhaps of a job without a record.
    callbacks: bool
    # The answer to the command that was sent along.
    answer: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRecord:
    """How a script stores the record of a new job, whose id has none."""

    script: str
    keys: Sequence[str]
    order: str
    created_at: float


def tenant_index(tenant: str) -> str:
    """Return the name of the index of the jobs of a tenant, which is not the default one."""
    return f"{JOBS}:t:{tenant}"


class JobStore:
    """The job records of one Redis, which must decode responses; safe to share between threads.

    `clock` is Unix seconds. `owed` is called with the id of a job whose receivers are owed an
    event.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        clock: Callable[[], float] = time.time,
        owed: Callable[[str], object] = lambda _job_id: None,
    ) -> None:
        self.redis = redis
        self.clock = clock
        self.owed = owed
        self.earlier = EarlierLayout(redis)
        self._script = _compact(Path(__file__).with_name("transition.lua").read_text())
        self._move = redis.register_script(self._script)
        self._confirmed = ConfirmedScripts(redis)

    def look_up(self, job_id: str, *, along: Sequence[Argument] = ()) -> Known:
        """Return what there is of a job that may be new, in one round trip.

        The command `along`, of any keys, runs before all else.
        """
        self.take_earlier(job_id)
        # The record first: whoever removes it has noted before that there are archived ones.
        reads = [("HGETALL", job_key(job_id)), ("EXISTS", ARCHIVING), ("EXISTS", inbox_key(job_id))]
        answers = ask(self.redis, [along, *reads] if along else reads)
        if error := next((each for each in answers if isinstance(each, Exception)), None):
            raise error
        *others, record, archiving, callbacks = answers
        return Known(
            job=Job.decode(as_record(record)) if record else None,
            archiving=bool(archiving),
            callbacks=bool(callbacks),
            answer=next(iter(others), None),
        )

    def add(self, job: Job, *, due: float, event: Event) -> bool:
        """Write the record of a new job as `added`; return whether it did."""
        return self.added(job, due=due, event=event) is not None

    def added(self, job: Job, *, due: float, event: Event) -> Job | None:
        """Write the record of a new job; return it, or None if its id has one that stays unchanged.

        A record for which `Job.replaceable_by` is true does not count: the new job replaces it.
        Raises Unconfirmed, a RedisError, if a replica does not have the record: an election may
        undo it.
        """
        self.take_earlier(job.id)
        changes = creations(job, due=due, event=event, now=self.clock())
        made = (self._add(job.id, expected, change) for expected, change in changes)
        return next(filter(None, made), None)

    def _add(self, job_id: str, expected: Sequence[str] | None, change: Change) -> Job | None:
        keys, order = self._call(job_id, expected, change)
        done, _, *answer = self._confirmed.eval(self._script, keys, [order])
        if not done:
            return None
        self._tell(job_id, answer)
        return _decoded(answer)

    def new_record(self, job: Job, *, due: float, event: Event) -> NewRecord:
        """Return how the record of a job is stored whose id has none, in whichever layout."""
        now = self.clock()
        _, change = next(creations(job, due=due, event=event, now=now))
        keys, order = self._call(job.id, None, change)
        return NewRecord(script=self._script, keys=keys, order=order, created_at=now)

    def confirm(self, job_id: str) -> None:
        """Return if every replica has the record, or there is none. Raises Unconfirmed, else.

        A creation whose answer was Unconfirmed has left a record that an election may undo.
        """
        self._confirmed.eval(_REWRITE, [job_key(job_id)], [job_id])

    def change(self, job_id: str, expected: Iterable[JobState], change: Change) -> bool:
        """Change the record if it is in one of the `expected` states and every guard matches.

        Expected states from which MOVES does not lead to `change.to` are ignored. Return whether
        the record was changed; after a lost answer it may have been changed all the same.
        """
        allowed = [state.value for state in expected if _allowed(state, change.to)]
        return self._change(job_id, allowed, change) is not None

    def changed(self, job_id: str, expected: Iterable[JobState], change: Change) -> Job | None:
        """Change the record like `change`; return it as it is then, or None if it was not changed.

        It is read by the script, which saves a round trip.
        """
        allowed = [state.value for state in expected if _allowed(state, change.to)]
        answer = self._change(job_id, allowed, change, whole=True)
        return None if answer is None else _decoded(answer)

    def change_confirmed(self, job_id: str, expected: Iterable[JobState], change: Change) -> bool:
        """Change the record like `change`; every replica has the change, and those before it.

        It may be made twice. Raises Transient(REPLICA_BEHIND): then it may have been made, and an
        election may undo it.
        """
        allowed = [state.value for state in expected if _allowed(state, change.to)]
        keys, order = self._call(job_id, allowed, change)
        try:
            done, _, *answer = self._confirmed.eval(self._script, keys, [order])
        except Unconfirmed as error:
            sentence = f"Redis: {error}. The job waits for a replica, which would know of its POST"
            raise Transient(REPLICA_BEHIND, sentence) from error
        self._tell(job_id, answer)
        return bool(done)

    def _change(
        self, job_id: str, expected: Sequence[str], change: Change, *, whole: bool = False
    ) -> Sequence[Any] | None:
        """Return what the script says of the change; None if it was not made."""
        keys, order = self._call(job_id, expected, change, whole=whole)
        done, state, *answer = cast("list[Any]", self._move(keys=keys, args=[order]))
        if not done:
            again = not state and self.take_earlier(job_id)
            return self._change(job_id, expected, change, whole=whole) if again else None
        self._tell(job_id, answer)
        return answer

    def _tell(self, job_id: str, answer: Sequence[Any]) -> None:
        if answer and answer[0]:
            self.owed(job_id)

    def _call(
        self,
        job_id: str,
        expected: Sequence[str] | None,
        change: Change,
        *,
        whole: bool = False,
    ) -> tuple[Sequence[str], str]:
        """Return the keys and the argument of the script."""
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
            "drop": list(change.drop) or None,
            "event": dict(change.event) if change.event else None,
            "unkept": list(change.unkept) or None,
            "forget": list(change.forget) or None,
            "count": dict(change.count) if change.count else None,
            "whole": whole or None,
            "keep": EVENTS_KEPT,
            "remember": HISTORY_KEPT,
            **_counts(change, now),
        }
        arguments = {name: value for name, value in request.items() if value is not None}
        names = (f"job:{job_id}", EVENTS, TIMERS, JOBS, BELL, NAMED, OWED)
        return [key_of(job_id, name) for name in names], json.dumps(arguments)

    def take_earlier(self, job_id: str) -> bool:
        """Move what version 0.1 stored of the job; return whether there was a record."""
        return self.earlier.exists() and self.earlier.move(job_id)

    def get(self, job_id: str) -> Job | None:
        """Return the job, or None if it has no record."""
        record = cast(dict[str, str], self.redis.hgetall(job_key(job_id)))
        if not record and self.take_earlier(job_id):
            record = cast(dict[str, str], self.redis.hgetall(job_key(job_id)))
        return Job.decode(record) if record else None

    def due(self, limit: int) -> Sequence[str]:
        """Return ids of jobs that should have moved by now, the most overdue first.

        Each shard gives an equal part of `limit`, so that none waits for another.
        """
        with self.redis.pipeline(transaction=False) as calls:
            for key in all_keys(TIMERS):
                most = -(-limit // SHARDS)
                calls.zrangebyscore(key, 0, self.clock(), start=0, num=most, withscores=True)
            answers = cast(list[list[tuple[str, float]]], calls.execute())
        due = sorted((due_at, job_id) for answer in answers for job_id, due_at in answer)
        return [job_id for _, job_id in due]

    def due_at(self, job_id: str) -> float | None:
        """Return the deadline of the next change of state in Unix seconds; None for ended jobs."""
        return self.redis.zscore(key_of(job_id, TIMERS), job_id)

    def drop_timer(self, job_id: str) -> None:
        """Remove the timer of a job that has no record."""
        self.redis.zrem(key_of(job_id, TIMERS), job_id)

    def delay_timer(self, job_id: str, seconds: float) -> None:
        """Postpone the timer of a job whose record cannot be read, so that others are reached."""
        self.redis.zadd(key_of(job_id, TIMERS), {job_id: self.clock() + seconds}, xx=True)


def _decoded(answer: Sequence[Any]) -> Job:
    """Return the record in an answer of the script that has it."""
    return Job.decode(dict(zip(*[iter(answer[1])] * 2, strict=True)))


def _compact(script: str) -> str:
    """Return the script without comments: some calls send it whole, and Redis hashes it."""
    lines = (line.strip() for line in script.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("--"))


def _counts(change: Change, now: float) -> Mapping[str, object]:
    """Return what the script needs to count the change."""
    if change.to not in COUNTED:
        return {}
    counts: dict[str, object] = {"day": day_of(now), "hour": str(hour_of(now))}
    fields = change.set or {}
    if change.to in GROUPED:
        message = message_of(str(fields.get("sentence", "")))
        counts["failure"] = {"reason": str(fields.get("reason", "")), "message": message}
    return counts


def _allowed(state: JobState, to: JobState | None) -> bool:
    return to is None or to is state or to in MOVES[state]
