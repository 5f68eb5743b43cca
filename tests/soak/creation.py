"""The creation of jobs by messages, as any program does it that has a Celery client.

Celery on Redis may lose a message when a worker is killed while taking it, so each is sent again
until its record appears (docs/usage.md): the same id is the same job.
"""

import time
from dataclasses import dataclass, field

from celery import Celery
from kombu.exceptions import OperationalError
from redis import Redis
from redis.exceptions import RedisError

from tests.factories.small_images import ENDPOINT, prompt
from tests.faults.waiting import pause
from webhook.contract import ROUTES, Task
from worker.jobs.store import job_key

# Seconds after which a job without a record is sent again.
AGAIN = 30.0
_PAUSE = 0.2


@dataclass(slots=True, kw_only=True)
class Creation:
    """Jobs that are sent, and when; those that have a record are forgotten."""

    app: Celery
    redis: Redis
    sent_again: int = 0
    _sent_at: dict[str, float] = field(default_factory=dict)

    def send(self, job_id: str) -> None:
        """Send the message until the broker has it."""
        fields = {"endpoint": ENDPOINT, "arguments": {"prompt": prompt(job_id)}, "id": job_id}
        while True:
            try:
                self.app.send_task(Task.CREATE, kwargs=fields, queue=ROUTES[Task.CREATE])
            except (OperationalError, RedisError):  # Redis was killed
                pause(_PAUSE)
            else:
                self._sent_at[job_id] = time.monotonic()
                return

    def send_lost(self) -> None:
        """Send those again that have no record after AGAIN seconds. Raises RedisError."""
        before = time.monotonic() - AGAIN
        old = [job_id for job_id, at in self._sent_at.items() if at < before]
        with self.redis.pipeline(transaction=False) as calls:
            for job_id in old:
                calls.exists(job_key(job_id))
            found = calls.execute()
        for job_id, exists in zip(old, found, strict=True):
            del self._sent_at[job_id]
            if not exists:
                self.send(job_id)
                self.sent_again += 1
