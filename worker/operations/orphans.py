"""Orphans: verified callbacks of jobs without a record, as after a Redis that lost its last hour.

The result is paid for. A job that is created under the id of an orphan adopts its callback instead
of being posted, and the pipeline publishes it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from redis import Redis
from redis.client import NEVER_DECODE

from webhook.contract import INBOX, JOB_ID, Callback, Task, inbox_key
from webhook.shards import key_of
from worker.fal.lenient_json import parse_lenient
from worker.jobs.change import Event
from worker.jobs.job import Job, JobState
from worker.jobs.store import LOST_WAKE_AFTER, JobStore
from worker.types import Json

# Keys that one SCAN looks at.
_SCANNED = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """The callbacks of one job without a record, the oldest first; never empty."""

    job_id: str
    callbacks: Sequence[Callback]

    @property
    def newest(self) -> Callback:
        """The last callback that brings a result, else the last one."""
        results = [each for each in self.callbacks if _status(each) == "OK"]
        return (results or self.callbacks)[-1]

    def record(self) -> dict[str, Json]:
        """Return what is known of it, for people and machines."""
        newest = self.newest
        return {
            "id": self.job_id,
            "received_at": newest.received_at,
            "attempt": newest.attempt,
            "request_id": newest.request_id,
            "status": _status(newest) or "unread",
            "callbacks": len(self.callbacks),
        }


def _status(callback: Callback) -> str:
    try:
        content = parse_lenient(callback.body)
    except ValueError:
        return ""
    status = content.get("status") if isinstance(content, dict) else None
    return status if isinstance(status, str) and status in {"OK", "ERROR"} else ""


def find_orphan(store: JobStore, job_id: str) -> Orphan | None:
    """Return the orphan with this id; None if it has a record or no callback."""
    store.take_earlier(job_id)
    # Callbacks first: few jobs have any that were not ingested.
    callbacks = _callbacks(store.redis, job_id)
    if not callbacks:
        return None
    stored = store.get(job_id)
    lone = stored is None or stored.refused
    return Orphan(job_id=job_id, callbacks=callbacks) if lone else None


def orphans(store: JobStore) -> Iterator[Orphan]:
    """Yield every orphan, in no order."""
    for key in store.redis.scan_iter(match=f"falhook:{{*}}:{INBOX}:*", count=_SCANNED):
        job_id = str(key).partition(f":{INBOX}:")[2]
        if JOB_ID.fullmatch(job_id) and (orphan := find_orphan(store, job_id)):
            yield orphan


def adopt(store: JobStore, job: Job, orphan: Orphan) -> bool:
    """Store the job as one that fal has ended, and make the orphan's callbacks pending again.

    Return False if its id has a record meanwhile. The sweep wakes their ingestion within seconds.
    """
    now, newest = store.clock(), orphan.newest
    # The state of a job whose answer was lost: the callback settles it, and nothing posts it.
    adopted = replace(
        job,
        state=JobState.SUBMIT_UNKNOWN,
        attempt=newest.attempt,
        posted=newest.attempt,
        submitted_at=now,
    )
    event: Event = {
        "name": "created",
        "step": Task.CREATE,
        "reason": "orphan_adopted",
        "request_id": newest.request_id,
    }
    new = store.add(adopted, due=now + LOST_WAKE_AFTER, event=event)
    if new:
        restore(store, job.id)
    return new


def restore(store: JobStore, job_id: str) -> None:
    """Make the callbacks of a job with a record pending again; repeating it does nothing."""
    pipe = store.redis.pipeline(transaction=True)
    pipe.persist(inbox_key(job_id))
    pipe.zadd(key_of(job_id, INBOX), {job_id: store.clock()}, nx=True)
    pipe.execute()


def _callbacks(redis: Redis, job_id: str) -> list[Callback]:
    # The store's client decodes what it reads, and a body is bytes.
    command = cast(Callable[..., object], redis.execute_command)
    options: Mapping[str, bool] = {NEVER_DECODE: True}
    entries = cast(dict[bytes, bytes], command("HGETALL", inbox_key(job_id), **options))
    callbacks = []
    for entry in entries.values():
        try:
            callbacks.append(Callback.decode(entry))
        except ValueError:
            continue  # it stays where it is: worker/steps/inbox.py sets it aside
    return sorted(callbacks, key=lambda each: each.received_at)
