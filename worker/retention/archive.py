"""The archive: records and histories of jobs that ended long ago, in storage.

published/{job}/history.jsonl   the record as Redis had it, then each event; a line of JSON each
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from redis import Redis

from webhook.shards import key_of
from worker.jobs.history import history
from worker.jobs.job import Job
from worker.jobs.store import ARCHIVING, JOBS, NAMED, TIMERS, job_key, tenant_index
from worker.jobs.tenant import DEFAULT
from worker.storage import Storage
from worker.storage.layout import published_key

FILE = "history.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """Records in storage, which is opened when it is first needed."""

    redis: Redis
    storage: Callable[[], Storage]

    def put(self, job: Job, *, now: float) -> str:
        """Store the job's record and its history; return the text of the history in Redis.

        Repeating it replaces the file.
        """
        record = cast(dict[str, str], self.redis.hgetall(job_key(job.id)))
        lines = record.pop("history", "")
        kept = Job.decode({**record, "history": lines})
        text = [json.dumps({"record": record, "archived_at": now})]
        text += [json.dumps(event) for event in history(kept)]
        content = ("\n".join(text) + "\n").encode()
        self.redis.set(ARCHIVING, f"{now:.3f}", nx=True)
        key = published_key(job.id, FILE)
        self.storage().put(key, content, content_type="application/jsonl")
        return lines

    def get(self, job_id: str) -> Job | None:
        """Return the job as it was archived; None if it was not.

        Raises Transient if the storage is unavailable.
        """
        # Until the first record is moved, no id is looked up in storage.
        if not self.redis.exists(ARCHIVING):
            return None
        content = self.storage().read(published_key(job_id, FILE))
        if content is None:
            return None
        first, _, lines = content.decode().partition("\n")
        record: Mapping[str, str] = json.loads(first)["record"]
        return Job.decode({**record, "history": lines})

    def address(self, job_id: str) -> str:
        """Return where the archived record of the job is, for people."""
        return self.storage().address(published_key(job_id, FILE))


def index_keys(job: Job) -> tuple[str, ...]:
    """Return the keys that `forget.lua` needs: record, timers, index, and index of the state.

    Those of its tenant follow, if it has one with indexes of its own.
    """
    names = [TIMERS, JOBS, f"{JOBS}:{job.state}"]
    if job.tenant != DEFAULT:
        of_tenant = tenant_index(job.tenant)
        names += [of_tenant, f"{of_tenant}:{job.state}", NAMED]
    return job_key(job.id), *(key_of(job.id, name) for name in names)
