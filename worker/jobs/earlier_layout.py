"""The keys of version 0.1, which had no shards: they are read, and moved into the shards.

falhook:job:ID, falhook:job:ID:events, falhook:jobs, falhook:jobs:STATE, falhook:timers,
falhook:inbox, falhook:inbox:ID and falhook:events, as webhook/shards.py names them today.

A job is moved when it is read or changed, by the sweep, or by `falhook migrate`. The move of a job
is atomic, so that any of them may be interrupted.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from redis import Redis

from webhook.shards import key_of

JOBS = "falhook:jobs"
INBOX = "falhook:inbox"
EVENTS = "falhook:events"
# What the script returns.
_MOVED, _IN_BOTH = 1, -1
# Jobs that are looked up at a time.
_READ = 500


def job_key(job_id: str) -> str:
    """Return the key that the job's hash had."""
    return f"falhook:job:{job_id}"


class EarlierLayout:
    """What a Redis still has in the layout of version 0.1."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        script = Path(__file__).with_name("earlier_layout.lua").read_text()
        self._move = redis.register_script(script)
        self._gone = False

    def exists(self) -> bool:
        """Return whether there is any of it; once there is none, Redis is not asked again."""
        if not self._gone:
            with self._redis.pipeline(transaction=False) as calls:
                # `move_all` deletes the stream last: orphans of callbacks are in neither set.
                for key in (JOBS, INBOX, EVENTS):
                    calls.exists(key)
                self._gone = not any(calls.execute())
        return not self._gone

    @property
    def is_gone(self) -> bool:
        """Whether there is known to be none."""
        return self._gone

    def count(self) -> int:
        """Return how many jobs have not been moved."""
        return self._redis.zcard(JOBS)

    def move(self, job_id: str) -> bool:
        """Move the job, its history and its callbacks; return whether it had a record to move."""
        return self._moved(job_id) == _MOVED

    def _moved(self, job_id: str) -> int:
        return cast(int, self._move(keys=[], args=[job_id, key_of(job_id, "")]))

    def left(self, most: int) -> Sequence[str]:
        """Return ids of jobs that `move_all` has not moved, the oldest first, at most `most`."""
        return cast(list[str], self._redis.zrange(JOBS, 0, most - 1))

    def move_all(self) -> Iterator[str]:
        """Move every job and every callback, and yield the ids, the oldest first.

        A job that has a record in both layouts is left, for a person to compare.
        """
        for key in (JOBS, INBOX):
            kept = 0
            while job_ids := cast(list[str], self._redis.zrange(key, kept, kept + _READ - 1)):
                for job_id in job_ids:
                    if self._moved(job_id) != _IN_BOTH:
                        yield job_id
                kept = sum(score is not None for score in self._redis.zmscore(key, job_ids)) + kept
        for key in self._redis.scan_iter(match=f"{INBOX}:*", count=_READ):
            job_id = str(key).removeprefix(f"{INBOX}:").partition(":")[0]
            self.move(job_id)
            yield job_id
        if not self._redis.exists(JOBS):
            self._redis.delete(EVENTS)
